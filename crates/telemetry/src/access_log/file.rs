//! A log file that is bounded: it is rotated by size, and followed when someone else moves it.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How often it is looked whether the path still leads to the open file.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Clients' addresses are personal data: not for everyone on the machine.
const FILE_MODE: u32 = 0o640;

/// How large a log may grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// A file is put aside before it would exceed this many bytes.
    pub bytes_max: u64,
    /// How many files that were put aside are kept, as `.1` (the newest), `.2`, ….
    pub kept: usize,
}

impl Default for Rotation {
    fn default() -> Self {
        Self {
            bytes_max: 256 * 1024 * 1024,
            kept: 4,
        }
    }
}

#[derive(Debug)]
pub(crate) struct RotatingFile {
    path: PathBuf,
    rotation: Rotation,
    file: File,
    bytes: u64,
    looked: Instant,
}

impl RotatingFile {
    /// Opens the file at `path` for appending, or makes it.
    pub(crate) fn open(path: PathBuf, rotation: Rotation) -> io::Result<Self> {
        let (file, bytes) = open(&path)?;
        Ok(Self {
            path,
            rotation,
            file,
            bytes,
            looked: Instant::now(),
        })
    }

    /// Makes room for `bytes` more: puts the file aside when they would exceed its bound, and opens
    /// a new one when the path does not lead to the open file any more.
    pub(crate) fn prepare(&mut self, bytes: u64) -> io::Result<()> {
        if self.looked.elapsed() >= LOOK_EVERY {
            self.looked = Instant::now();
            if !self.is_in_place() {
                self.reopen()?;
            }
        }
        if self.bytes > 0 && self.bytes.saturating_add(bytes) > self.rotation.bytes_max {
            self.rotate()?;
        }
        Ok(())
    }

    fn is_in_place(&self) -> bool {
        match (fs::metadata(&self.path), self.file.metadata()) {
            (Ok(there), Ok(open)) => (there.dev(), there.ino()) == (open.dev(), open.ino()),
            _ => false,
        }
    }

    fn reopen(&mut self) -> io::Result<()> {
        (self.file, self.bytes) = open(&self.path)?;
        Ok(())
    }

    /// Can be tried again when it has failed half-way: what was done then is not done twice.
    fn rotate(&mut self) -> io::Result<()> {
        // Otherwise it has been put aside, and only a new one could not be opened.
        if self.is_in_place() {
            self.put_aside()?;
        }
        self.reopen()
    }

    fn put_aside(&self) -> io::Result<()> {
        let kept = self.rotation.kept;
        if kept == 0 {
            return fs::remove_file(&self.path);
        }
        // Up to the first gap, which is where an attempt before this one has come to, or to the
        // last, which is given up.
        let is_free = |number: &usize| !self.aside(*number).exists();
        let free = (1..kept).find(is_free).unwrap_or(kept);
        for number in (1..free).rev() {
            fs::rename(self.aside(number), self.aside(number + 1))?;
        }
        fs::rename(&self.path, self.aside(1))
    }

    fn aside(&self, number: usize) -> PathBuf {
        let mut name = OsString::from(&self.path);
        name.push(format!(".{number}"));
        name.into()
    }
}

impl Write for RotatingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn open(path: &Path) -> io::Result<(File, u64)> {
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(FILE_MODE)
        .open(path)?;
    let bytes = file.metadata()?.len();
    Ok((file, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn append(file: &mut RotatingFile, line: &str) {
        file.prepare(line.len() as u64).unwrap();
        file.write_all(line.as_bytes()).unwrap();
    }

    #[test]
    fn a_full_file_is_put_aside_and_only_so_many_are_kept() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let rotation = Rotation {
            bytes_max: 10,
            kept: 2,
        };
        let mut file = RotatingFile::open(path.clone(), rotation).unwrap();
        for line in ["first\n", "second\n", "third\n", "4\n", "fifth\n"] {
            append(&mut file, line);
        }
        let read = |name: &str| fs::read_to_string(directory.path().join(name)).unwrap_or_default();
        assert_eq!(read("log"), "fifth\n");
        assert_eq!(read("log.1"), "third\n4\n");
        assert_eq!(read("log.2"), "second\n");
        assert_eq!(read("log.3"), "");
    }

    /// A full file with `aside` beside it, as an attempt to rotate has left them; what is there
    /// after the next line, up to `.4`.
    fn after_a_failed_rotation(
        aside: &[(usize, &str)],
        fail: impl FnOnce(&RotatingFile),
    ) -> Vec<String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let rotation = Rotation {
            bytes_max: 10,
            kept: 3,
        };
        let mut file = RotatingFile::open(path.clone(), rotation).unwrap();
        append(&mut file, "full...\n");
        for (number, text) in aside {
            fs::write(file.aside(*number), text).unwrap();
        }
        fail(&file);
        append(&mut file, "new\n");
        let paths = std::iter::once(path).chain((1..=4).map(|number| file.aside(number)));
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        paths.map(read).collect()
    }

    #[test]
    fn a_rotation_that_failed_is_finished_and_not_repeated() {
        let before = [(1, "1"), (2, "2"), (3, "3")];
        let shifted = [(2, "1"), (3, "2")];
        let done = ["new\n", "full...\n", "1", "2", ""];
        assert_eq!(after_a_failed_rotation(&before, |_| {}), done);
        // The last before .1 had become .2; the file itself could not be moved.
        let half = [(1, "1"), (3, "2")];
        assert_eq!(after_a_failed_rotation(&half, |_| {}), done);
        assert_eq!(after_a_failed_rotation(&shifted, |_| {}), done);
        // All was moved, and no new file could be opened.
        let all = after_a_failed_rotation(&shifted, |file| {
            fs::rename(&file.path, file.aside(1)).unwrap();
        });
        assert_eq!(all, done);
    }

    #[test]
    fn what_an_earlier_run_wrote_counts_and_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        fs::write(&path, "12345678\n").unwrap();
        let rotation = Rotation {
            bytes_max: 12,
            kept: 1,
        };
        let mut file = RotatingFile::open(path.clone(), rotation).unwrap();
        append(&mut file, "a\n");
        append(&mut file, "bc\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "bc\n");
        let aside = directory.path().join("log.1");
        assert_eq!(fs::read_to_string(aside).unwrap(), "12345678\na\n");
    }

    #[test]
    fn a_file_that_was_moved_or_removed_is_made_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let mut file = RotatingFile::open(path.clone(), Rotation::default()).unwrap();
        for change in [
            |path: &Path| fs::remove_file(path).unwrap(),
            |path: &Path| {
                fs::rename(path, path.with_extension("moved")).unwrap();
            },
        ] {
            append(&mut file, "before\n");
            change(&path);
            file.looked -= LOOK_EVERY;
            append(&mut file, "after\n");
            assert_eq!(fs::read_to_string(&path).unwrap(), "after\n");
        }
    }
}
