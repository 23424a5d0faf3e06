//! Exit statuses beside 0 and 1, as `sysexits.h` has them.

/// The command line is not what it should be.
pub(crate) const USAGE: u8 = 64;
/// Input cannot be read.
pub(crate) const UNREADABLE: u8 = 65;
