//! Chains of every shape, examined.

mod hostile;
mod numbers;
mod openssl;
mod rows;
mod webpki;
mod workshop;
