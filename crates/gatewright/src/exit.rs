//! Exit statuses beside 0 and 1, as `sysexits.h` has them.

use std::process::ExitCode;

use crate::output;
use crate::sentence::Sentence;

/// The command line is not what it should be.
pub(crate) const USAGE: u8 = 64;
/// Input cannot be read.
pub(crate) const UNREADABLE: u8 = 65;
/// What must answer does not: a node, or az.
pub(crate) const UNAVAILABLE: u8 = 69;
/// What is to be written cannot be.
pub(crate) const UNWRITABLE: u8 = 73;

/// Why nothing was done, and the exit status for it.
#[derive(Debug)]
pub(crate) struct Refused(pub(crate) u8, pub(crate) Sentence);

impl Refused {
    /// Says it.
    pub(crate) fn tell(self) -> ExitCode {
        output::error(&self.1);
        ExitCode::from(self.0)
    }
}
