//! Why requests fail at a gateway: from evidence to one root cause, and the commands that mend it.
//!
//! [`Evidence::read`] takes the files of an evidence folder; [`diagnose`] walks the map over all of
//! it and answers with a [`Verdict`]. The same evidence and the same moment give the same answer,
//! byte for byte.
//!
//! Promised: no evidence makes any of this panic; a cause is named only where the evidence shows
//! it, or where nothing else explains what is seen as well; else the verdict says which file would
//! decide.
//!
//! A [`Report`] is a verdict as it is shown, without what the operator accepts: as text, SARIF,
//! JUnit's XML, Markdown or, with serde, JSON.
//!
//! Every [`Cause`] has a [`page`] of the manual, which is made from its definition.
//!
//! [`diff`] compares two configurations of a gateway: what is different by name, and what that does
//! to traffic.
//!
//! Never here: files, sockets, a clock. The texts come decoded, the moment is an argument.

mod catalogue;
mod cause;
mod diff;
mod evidence;
mod finding;
mod lookup;
mod message;
mod pages;
mod patch;
mod remedy;
mod report;
mod site;
mod suppress;
mod walk;

pub use cause::{Cause, Layer, Owner, Severity};
pub use diff::{
    Asked, Change, Difference, Effect, MemberChange, PartChange, REPRESENTATIVES_MAX, Trouble,
    Weight, diff,
};
pub use evidence::{Content, Evidence, File, Place, Unreadable, is_vault};
pub use finding::{
    Because, Confidence, Finding, Fix, Need, Outcome, Replay, RuledOut, Step, Verdict,
};
pub use pages::{explained, index, listed, page};
pub use patch::{DoesNotFit, Patch};
pub use report::{Line, Report, Role, Suppressed, prediction};
pub use suppress::Suppression;
pub use walk::{diagnose, predict};
