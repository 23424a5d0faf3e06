//! What a server presented, what is trusted, which name was expected: and what exactly is wrong.
//!
//! [`examine`] answers with a [`Verdict`]: every [`Defect`] with the certificate that has it, the
//! gravest first, or none. It accepts what webpki accepts, and refuses what webpki refuses; what it
//! adds is the reason. Two things are ours: a certificate that was uploaded itself is trusted by
//! that, and the common name counts where there are no alternative names (behaviour.md §2.4).
//!
//! An issuer is who really signed: its name *and* its key fit, and the signature was verified.
//! Every way from the server's certificate to a trusted one is tried, within bounds.
//!
//! # Which message
//!
//! The rows are those of behaviour.md §4; where the documents leave open which of several applies,
//! what is true of the chain decides. "Sent" is what verified signatures connect to the server's
//! certificate; junk beside it changes nothing.
//!
//! | what is so | only well-known trusted | roots uploaded too |
//! |---|---|---|
//! | the name asked for is not in the server's certificate | 6 | 6 |
//! | a certificate on the way is expired or not valid yet | 7 | 7 |
//! | leaf alone, its issuer neither sent nor trusted | 8 | 8 |
//! | leaf alone, self-signed, no authority (CA:FALSE) | 8 | 8 |
//! | leaf alone, self-signed, calls itself an authority (CA:TRUE) | 10 | 13 |
//! | leaf alone, issuer has the name of a trusted root, and another key | 10 | 13 |
//! | authorities only | 9 | 9 |
//! | leaf, private root | 10 | 13 |
//! | leaf, intermediates, private root | 11 | 13 |
//! | leaf, intermediates, no root | 11 | 12 |
//! | the same, issuer has the name of an uploaded root, and another key | 11 | 13 |
//! | an authority first, the leaf further back | 14 | 14 |
//! | anything else | 15 | 15 |
//! | first generation: another key than the uploaded certificates have | no row | |
//!
//! Row 8 says that an intermediate is missing. A leaf alone does not tell whether its issuer is an
//! intermediate or a private root; that the certificate of the issuer is missing is true in both
//! cases. Rows 12 and 13 part by whether the server showed its root: what was shown can be compared
//! with what was uploaded, what was not can only be missed.
//!
//! # Which defect decides
//!
//! The order of [`Kind`]'s variants: what keeps the chain from being looked at, its shape (9, 14),
//! dates (7), trust (8, 10–13), the rest (15), the name (6). It is the order in which webpki and
//! then the name check refuse, so that the failure that was counted and the reason that is told
//! are of one kind. There are two exceptions: a root that was sent and is not trusted is not blamed
//! for its dates, since they would not be looked at if it were; and an uploaded root that stands
//! where the server's certificate should is out of place (9, 14), not of another name.
//!
//! What must never be here: TLS, a socket, a file, a clock.

mod certificate;
mod constraints;
mod date;
mod defect;
pub mod der;
mod examine;
mod names;
mod presented;
mod sentence;
mod signature;
mod text;
mod trust;
mod untrusted;
mod walk;

pub use certificate::{CERTIFICATE_BYTES_MAX, Certificate, KeyKind, Unreadable};
pub use date::{date, date_time};
pub use defect::{At, Defect, Kind, Listed, Untrusted, Violation};
pub use examine::{Checks, Verdict, examine};
pub use names::{Names, ServerName};
pub use presented::{PRESENTED_BYTES_MAX, PRESENTED_MAX, Presented};
pub use signature::Weakness;
pub use trust::{Anchor, Trust};
