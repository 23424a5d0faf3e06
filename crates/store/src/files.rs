//! What files need to survive a power cut.

use std::fs::File;
use std::io;
use std::path::Path;

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

/// Makes what was created, renamed and removed in a directory survive a power cut.
pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    // The parent of a bare name is the directory that the process works in.
    let here = directory.as_os_str().is_empty();
    let directory = if here { Path::new(".") } else { directory };
    File::open(directory)?.sync_all()
}

/// Renames a file, unless there is one of the new name.
pub(crate) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // A file system without this promise: two that come at once are then not told apart.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            if to.try_exists()? {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            std::fs::rename(from, to)
        }
        renamed => Ok(renamed?),
    }
}
