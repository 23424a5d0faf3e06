//! Chains of every shape, examined.

mod hostile;
mod openssl;
mod rows;
mod webpki;
mod workshop;
