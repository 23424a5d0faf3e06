//! Remedies in the files that a node serves.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use gatewright_arm::parse_text;
use gatewright_diagnosis::Patch;

use crate::client::{self, Question};
use crate::documents::read_file;
use crate::sentence::Sentence;
use crate::settings::AdminAddress;

/// The status of a node's answer when all is well.
const OK: u16 = 200;

/// Writes the file anew, keeps what it was beside it, and has the node read it. What the node
/// refuses is taken back.
pub(super) fn apply(
    admin: Option<AdminAddress>,
    patch: &Patch,
    path: &Path,
) -> Result<String, Sentence> {
    let shown = path.display();
    let cannot = |why: String| Sentence::new(format!("{shown} is not changed: {why}"));
    let before = read_file(path).map_err(|error| cannot(error.to_string()))?;
    let mut document = parse_text(&before).map_err(|error| cannot(error.to_string()))?;
    let changed = patch.apply(&mut document);
    changed.map_err(|why| cannot(format!("{why}; diagnose again")))?;
    let kept = beside(path);
    write_like(path, &kept, &before)
        .map_err(|error| cannot(format!("{} cannot be written: {error}", kept.display())))?;
    replace(path, format!("{document:#}\n").as_bytes())
        .map_err(|error| cannot(error.to_string()))?;
    if let Err(why) = reload(admin) {
        let back = replace(path, &before);
        let back = back.map_or_else(
            |error| format!("; it cannot be put back: {error}"),
            |()| String::new(),
        );
        return Err(cannot(format!("the node refuses it: {why}{back}")));
    }
    Ok(format!(
        "{shown} is changed; {} is what it was.",
        kept.display()
    ))
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".before-fix");
    name.into()
}

/// Whole, under its name, with its permissions.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    write_like(path, new.as_ref(), bytes)?;
    fs::rename(&new, path)
}

/// With the permissions of another file, and never more: it may hold keys.
fn write_like(other: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.set_permissions(fs::metadata(other)?.permissions())?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn reload(admin: Option<AdminAddress>) -> Result<(), Sentence> {
    let answer = client::ask(admin, Question::Post("/reload", None))?;
    match (answer.status, answer.body["error"].as_str()) {
        (OK, _) => Ok(()),
        (_, Some(why)) => Err(Sentence::new(why.to_owned())),
        (status, None) => Err(Sentence::new(format!("it answers {status}"))),
    }
}
