//! `gatewright diagnose`.

use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::process::ExitCode;
use std::time::UNIX_EPOCH;

use gatewright_diagnosis::{Content, Evidence, File, Outcome, Unreadable, diagnose, text};
use gatewright_template::read_document;

use crate::cli::DiagnoseArguments;
use crate::output::{self, Format};
use crate::plan::unix_now;
use crate::sentence::Sentence;

/// Largest file of an evidence folder that is read, in bytes.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Most files of a folder, and how deep folders in it may lie.
const FILES_MAX: usize = 1_000;
const DEPTH_MAX: usize = 2;

/// Exit statuses beside 0, healthy, and 1, a root cause was found.
const INCONCLUSIVE: u8 = 2;
const UNREADABLE: u8 = 65;

pub(crate) fn run(arguments: &DiagnoseArguments) -> Result<ExitCode, Sentence> {
    let evidence = match read(&arguments.evidence) {
        Ok(evidence) => evidence,
        Err(unreadable) => {
            output::error(&Sentence::new(unreadable.to_string()));
            return Ok(ExitCode::from(UNREADABLE));
        }
    };
    let verdict = diagnose(&evidence, collected(&arguments.evidence));
    match arguments.output {
        Format::Text => output::line(text(&verdict, arguments.explain).trim_end()),
        Format::Json => {
            let json = serde_json::to_string_pretty(&verdict);
            let json =
                json.map_err(|error| Sentence::new(format!("it cannot be shown: {error}")))?;
            output::line(json);
        }
    }
    Ok(match verdict.outcome {
        Outcome::Healthy => ExitCode::SUCCESS,
        Outcome::RootCause => ExitCode::FAILURE,
        Outcome::Inconclusive => ExitCode::from(INCONCLUSIVE),
    })
}

/// When the evidence was collected, where it does not say so itself: when its newest file was
/// written, so that the same folder has the same answer tomorrow.
fn collected(folder: &Path) -> i64 {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let written = entries.filter_map(|entry| entry.ok()?.metadata().ok()?.modified().ok());
    let newest = written
        .max()
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    newest.map_or_else(unix_now, |since| {
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    })
}

fn read(folder: &Path) -> Result<Evidence, Unreadable> {
    let mut files = Vec::new();
    gather(folder, "", 0, &mut files)?;
    Evidence::read(files)
}

fn gather(
    folder: &Path,
    prefix: &str,
    depth: usize,
    files: &mut Vec<File>,
) -> Result<(), Unreadable> {
    let told = |name: &str, why: String| Unreadable {
        file: name.to_owned(),
        pointer: String::new(),
        expected: why,
    };
    let shown = folder.display().to_string();
    let entries = fs::read_dir(folder)
        .map_err(|error| told(&shown, format!("it cannot be read: {error}")))?;
    let mut entries: Vec<_> = entries.filter_map(Result::ok).collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        let own = format!("{prefix}{name}");
        let path = entry.path();
        if path.is_dir() {
            if depth < DEPTH_MAX {
                gather(&path, &format!("{own}/"), depth + 1, files)?;
            }
            continue;
        }
        if files.len() == FILES_MAX {
            return Err(told(&shown, format!("it has more than {FILES_MAX} files")));
        }
        let bytes =
            bytes_of(&path).map_err(|error| told(&own, format!("it cannot be read: {error}")))?;
        files.push(File {
            content: content(&own, bytes)?,
            name: own,
        });
    }
    Ok(())
}

fn bytes_of(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut file = fs::File::open(path)?.take(FILE_BYTES_MAX + 1);
    file.read_to_end(&mut bytes)?;
    match bytes.len() as u64 > FILE_BYTES_MAX {
        true => Err(io::Error::other(format!(
            "it has more than {FILE_BYTES_MAX} bytes"
        ))),
        false => Ok(bytes),
    }
}

/// JSON in any encoding and with comments; other texts; bytes.
fn content(name: &str, bytes: Vec<u8>) -> Result<Content, Unreadable> {
    if !name.ends_with(".json") {
        return Ok(match String::from_utf8(bytes) {
            Ok(text) => Content::Text(text),
            Err(error) => Content::Bytes(error.into_bytes()),
        });
    }
    match read_document(&bytes) {
        Ok(document) => Ok(Content::Json(document.into_value())),
        Err(error) => Err(Unreadable {
            file: name.to_owned(),
            pointer: String::new(),
            expected: error.to_string(),
        }),
    }
}
