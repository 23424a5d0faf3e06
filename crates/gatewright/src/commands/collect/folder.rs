//! The folder that the evidence is written into.

use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use gatewright_diagnosis::is_vault;
use serde_json::Value;
use tempfile::TempDir;

use super::record::RECORD;
use crate::commands::az_setup::quoted;
use crate::sentence::Sentence;

/// Files that a collection may have written beside those of vaults, which the next one takes away.
const OWN: [&str; 13] = [
    "gateway.json",
    "backend-health.json",
    "last-error.json",
    "subnet.json",
    "vnet.json",
    "backend-subnet.json",
    "nsgs.json",
    "route-tables.json",
    "metrics.json",
    "access-logs.json",
    "webapp.json",
    "private-dns-links.json",
    "vmss-instances.json",
];

/// Most bytes of an earlier record that are read.
const RECORD_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// A place for evidence.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    /// It goes when it is dropped.
    temporary: Option<TempDir>,
}

/// Why there is no such place.
#[derive(Debug)]
pub(super) enum NoFolder {
    /// Something is there already.
    Taken(Sentence),
    Unwritable(Sentence),
}

impl Folder {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A folder that is new or empty, or is any with `force`. Nothing is made yet.
    pub(super) fn at(path: &Path, force: bool) -> Result<Self, NoFolder> {
        let shown = quoted(&path.display().to_string());
        match fs::read_dir(path).map(|mut entries| entries.next().is_some()) {
            Ok(is_filled) if force || !is_filled => {}
            Ok(_) => {
                return Err(NoFolder::Taken(Sentence::new(format!(
                    "{shown} is not empty: name another folder, or let --force replace what an \
                     earlier collection wrote"
                ))));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                let why = format!("{shown} cannot be used: {error}");
                return Err(NoFolder::Taken(Sentence::new(why)));
            }
        }
        Ok(Self {
            path: path.to_owned(),
            temporary: None,
        })
    }

    /// A folder of the system's for what is temporary.
    pub(super) fn temporary() -> Result<Self, NoFolder> {
        let made = tempfile::Builder::new()
            .prefix("gatewright-")
            .permissions(Permissions::from_mode(0o700))
            .tempdir();
        let made = made.map_err(|error| {
            let why = format!("no temporary folder can be made: {error}");
            NoFolder::Unwritable(Sentence::new(why))
        })?;
        Ok(Self {
            path: made.path().to_owned(),
            temporary: Some(made),
        })
    }

    pub(crate) fn is_temporary(&self) -> bool {
        self.temporary.is_some()
    }

    /// Keeps a temporary folder, and where it is.
    pub(crate) fn keep(self) -> PathBuf {
        match self.temporary {
            Some(temporary) => temporary.keep(),
            None => self.path,
        }
    }

    /// Makes it, and takes away what an earlier collection wrote: that would be taken for a part of
    /// this one.
    pub(super) fn prepare(&self) -> Result<(), NoFolder> {
        let made = DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.path);
        made.and_then(|()| self.clear())
            .map_err(|error| self.unwritable(&error))
    }

    fn clear(&self) -> io::Result<()> {
        for name in earlier(&self.path.join(RECORD)) {
            match fs::remove_file(self.path.join(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Writes a file that its owner alone can read, whole or not at all.
    pub(super) fn write(&self, name: &str, content: &Value) -> Result<(), NoFolder> {
        let write = || {
            let mut file = tempfile::Builder::new()
                .prefix(".gatewright-")
                .tempfile_in(&self.path)?;
            file.write_all(format!("{content:#}\n").as_bytes())?;
            // A link that stands there is replaced, not followed.
            file.persist(self.path.join(name))?;
            Ok(())
        };
        write().map_err(|error: io::Error| self.unwritable(&error))
    }

    fn unwritable(&self, error: &io::Error) -> NoFolder {
        let shown = quoted(&self.path.display().to_string());
        NoFolder::Unwritable(Sentence::new(format!("{shown} cannot be written: {error}")))
    }
}

/// The files that an earlier collection says it wrote; none but such as one writes.
fn earlier(record: &Path) -> Vec<String> {
    let read = || {
        let is_small = fs::metadata(record).ok()?.len() <= RECORD_BYTES_MAX;
        let text = is_small.then(|| fs::read(record).ok())??;
        let record: Value = serde_json::from_slice(&text).ok()?;
        let files = record.get("files")?.as_array()?.iter();
        let files = files.filter_map(|name| name.as_str().map(str::to_owned));
        Some(files.filter(|name| is_own(name)).collect())
    };
    read().unwrap_or_default()
}

fn is_own(name: &str) -> bool {
    OWN.contains(&name) || is_vault(name)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use serde_json::json;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn its_owner_alone_reads_it() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::at(&root.path().join("a/b"), false).unwrap();
        folder.prepare().unwrap();
        folder.write("gateway.json", &json!({})).unwrap();
        assert_eq!(mode(folder.path()), 0o700);
        assert_eq!(mode(&folder.path().join("gateway.json")), 0o600);
        assert_eq!(mode(Folder::temporary().unwrap().path()), 0o700);
        // Nothing else is left behind.
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_there_is_left_alone() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path();
        assert!(Folder::at(path, false).is_ok());
        fs::write(path.join("notes.txt"), "mine").unwrap();
        let refused = Folder::at(path, false);
        assert!(matches!(refused, Err(NoFolder::Taken(_))), "{refused:?}");
        let file = Folder::at(&path.join("notes.txt"), true);
        assert!(matches!(file, Err(NoFolder::Taken(_))), "{file:?}");

        // A link is replaced; what it leads to stays.
        let outside = root.path().join("notes.txt");
        symlink(&outside, path.join("gateway.json")).unwrap();
        let files = json!(["nsgs.json", "keyvault-2.json", "../x", "notes.txt", 3]);
        fs::write(path.join(RECORD), json!({ "files": files }).to_string()).unwrap();
        for name in ["nsgs.json", "keyvault-2.json", "vnet.json"] {
            fs::write(path.join(name), "{}").unwrap();
        }
        let folder = Folder::at(path, true).unwrap();
        folder.prepare().unwrap();
        folder.write("gateway.json", &json!({ "a": 1 })).unwrap();
        assert_eq!(fs::read_to_string(&outside).unwrap(), "mine");
        assert!(
            !fs::symlink_metadata(path.join("gateway.json"))
                .unwrap()
                .is_symlink()
        );
        let is_there = |name: &str| path.join(name).exists();
        // Not written by a collection, for all that is known.
        assert!(is_there("vnet.json"));
        assert!(!is_there("nsgs.json") && !is_there("keyvault-2.json"));
    }
}
