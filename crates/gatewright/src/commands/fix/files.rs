//! Remedies in the files that a node serves.

use std::fs::{self, Metadata};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::{Path, PathBuf};

use gatewright_arm::parse_text;
use gatewright_diagnosis::Patch;

use crate::client::{self, Question};
use crate::documents::{read_file, read_json};
use crate::evidence_source::Source;
use crate::secrets::Cleaner;
use crate::sentence::Sentence;
use crate::settings::AdminAddress;

/// Writes the file anew, keeps what it was beside it, and has the node read it. What the node
/// refuses is taken back.
pub(super) fn apply(
    admin: Option<AdminAddress>,
    patch: &Patch,
    source: &Source,
) -> Result<String, Sentence> {
    let path = source.path.as_path();
    let shown = path.display();
    let cannot = |why: String| Sentence::new(format!("{shown} is not changed: {why}"));
    let before = read_file(path).map_err(|error| cannot(error.to_string()))?;
    let mut document = parse_text(&before).map_err(|error| match read_json(&before) {
        Ok(_) => cannot(format!(
            "it has comments, or other things that JSON has not and that would be lost ({error}); \
             change it by hand"
        )),
        Err(error) => cannot(error.to_string()),
    })?;
    // The node may be on another machine, and somebody may have edited the file meanwhile.
    let cleaner = Cleaner::new()?;
    let (mut own, mut known) = (document.clone(), source.document.clone());
    cleaner.clean(&mut own);
    cleaner.clean(&mut known);
    if own != known {
        return Err(cannot(
            "it is not what the node has read; reload the node, and diagnose again".to_owned(),
        ));
    }
    let changed = patch.apply(&mut document);
    changed.map_err(|why| cannot(format!("{why}; diagnose again")))?;
    let kept = keep(path, &before)
        .map_err(|error| cannot(format!("what it was cannot be kept beside it: {error}")))?;
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

/// Copies of a file that are kept beside it, at most.
const COPIES_MAX: usize = 100;

/// Writes what a file was beside it, under a name that nothing has yet.
fn keep(path: &Path, bytes: &[u8]) -> io::Result<PathBuf> {
    for number in 1..=COPIES_MAX {
        let mut name = path.as_os_str().to_owned();
        name.push(match number {
            1 => ".before-fix".to_owned(),
            number => format!(".before-fix-{number}"),
        });
        match write_new(path, Path::new(&name), bytes) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            other => return other.map(|()| name.into()),
        }
    }
    let why = format!("there are {COPIES_MAX} copies already; put some away");
    Err(io::Error::other(why))
}

/// Whole, under its name, with its owner and permissions.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    let mut file = tempfile::Builder::new()
        .prefix(".gatewright-")
        .tempfile_in(folder)?;
    fill(file.as_file_mut(), &fs::metadata(path)?, bytes)?;
    file.persist(path)?;
    Ok(())
}

/// A new file with the owner and the permissions of another one.
fn write_new(other: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let known = fs::metadata(other)?;
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    fill(&mut file, &known, bytes).inspect_err(|_| {
        // There is nobody left to tell.
        let _ = fs::remove_file(path);
    })
}

/// Gives a file that its owner alone can read yet this owner, these permissions and these bytes,
/// and has them on the disk: it may hold keys.
fn fill(file: &mut fs::File, known: &Metadata, bytes: &[u8]) -> io::Result<()> {
    let own = file.metadata()?;
    if (own.uid(), own.gid()) != (known.uid(), known.gid()) {
        fchown(&*file, Some(known.uid()), Some(known.gid()))?;
    }
    file.set_permissions(known.permissions())?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn reload(admin: Option<AdminAddress>) -> Result<(), Sentence> {
    let answer = client::ask(admin, Question::Post("/reload", None))?;
    answer.good().map(drop)
}
