//! Where evidence comes from: a folder, or a running node.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use gatewright_diagnosis::{Content, Evidence, File, Patch, Unreadable};
use gatewright_template::{MAX_TEXT_BYTES, read_printed};
use reqwest::Url;
use serde_json::Value;

use crate::client::{self, Question};
use crate::plan::unix_now;
use crate::sentence::Sentence;
use crate::settings::AdminAddress;

/// Largest file of an evidence folder that is read, in bytes.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Most files of a folder, and how deep folders in it may lie.
const FILES_MAX: usize = 1_000;
const DEPTH_MAX: usize = 2;

/// The file that says when and how the others were collected.
pub(crate) const COLLECTED: &str = "collected.json";

/// The files of an evidence folder, and when they were collected where they do not say so, in
/// seconds since the Unix epoch.
pub(crate) struct Files {
    pub(crate) files: Vec<File>,
    pub(crate) collected: i64,
}

/// A file that a node serves, with what the node has read of it, without secrets.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) path: PathBuf,
    pub(crate) document: Value,
}

impl Source {
    /// The file that holds the document which a patch is of, as a node tells it.
    pub(crate) fn of(evidence: &Evidence, patch: &Patch) -> Option<Self> {
        let sources = evidence.json_at(COLLECTED, "/sources")?;
        let path = sources.get(format!("{}{}", patch.file, patch.at))?;
        Some(Self {
            path: PathBuf::from(path.as_str()?),
            document: evidence.json_at(&patch.file, &patch.at)?.clone(),
        })
    }
}

impl Files {
    /// Reads a folder.
    ///
    /// # Errors
    /// The first file that cannot be read.
    pub(crate) fn of_folder(folder: &Path) -> Result<Self, Unreadable> {
        let mut files = Vec::new();
        gather(folder, "", 0, &mut files)?;
        Ok(Self {
            files,
            collected: collected(folder),
        })
    }

    /// Asks a running node of one of its gateways; of the only one, where `gateway` is empty.
    ///
    /// # Errors
    /// When no node answers, or it has no such gateway.
    pub(crate) fn of_node(admin: Option<AdminAddress>, gateway: &str) -> Result<Self, Sentence> {
        let answer = ask(admin, "/evidence", &[("gateway", gateway)])?;
        let Value::Object(members) = answer else {
            return Err(Sentence::new("the node's answer is no evidence"));
        };
        let files = members.into_iter();
        let files = files.map(|(name, value)| File::of_value(name, value));
        Ok(Self {
            files: files.collect(),
            collected: unix_now(),
        })
    }

    /// The JSON of a file.
    pub(crate) fn json_mut(&mut self, name: &str) -> Option<&mut Value> {
        let file = self.files.iter_mut().find(|file| file.name == name)?;
        match &mut file.content {
            Content::Json(value) => Some(value),
            Content::Text(_) | Content::Bytes(_) => None,
        }
    }

    /// What the files say.
    ///
    /// # Errors
    /// The first file that is not what its name says.
    pub(crate) fn read(self) -> Result<(Evidence, i64), Unreadable> {
        Ok((Evidence::read(self.files)?, self.collected))
    }
}

/// Documents of networks, by the files of an evidence folder that they belong into; and of each
/// that is a file or a resource by itself, what it was read from.
pub(crate) fn files_of_network(
    bodies: &[(String, Arc<Value>)],
) -> (BTreeMap<&'static str, Vec<Value>>, BTreeMap<String, &str>) {
    let mut files: BTreeMap<&'static str, Vec<Value>> = BTreeMap::new();
    let mut origins = BTreeMap::new();
    for (origin, body) in bodies {
        let list = body.get("value").unwrap_or(body);
        let single = std::slice::from_ref(list);
        let is_whole = !list.is_array() && std::ptr::eq(list, &**body);
        for document in list.as_array().map_or(single, Vec::as_slice) {
            let file = file_of(document);
            let all = files.entry(file).or_default();
            if is_whole {
                origins.insert(format!("{file}/{}", all.len()), origin.as_str());
            }
            all.push(document.clone());
        }
    }
    (files, origins)
}

/// The whole path of a file that is there; what is stored has an id, which is none.
pub(crate) fn file_at(origin: &str) -> Option<String> {
    let path = fs::canonicalize(origin)
        .ok()
        .filter(|path| path.is_file())?;
    path.to_str().map(str::to_owned)
}

fn file_of(document: &Value) -> &'static str {
    let kind = document.get("type").and_then(Value::as_str);
    let kind = kind.unwrap_or_default().to_ascii_lowercase();
    match kind.rsplit('/').next().unwrap_or_default() {
        "networksecuritygroups" => "nsgs.json",
        "routetables" => "route-tables.json",
        "subnets" => "subnet.json",
        _ => "vnet.json",
    }
}

/// Asks a running node, with what is asked for in the query.
///
/// # Errors
/// When no node answers, or it refuses, in its own words.
pub(crate) fn ask(
    admin: Option<AdminAddress>,
    path: &str,
    query: &[(&str, &str)],
) -> Result<Value, Sentence> {
    let url = Url::parse_with_params(&format!("http://node{path}"), query)
        .map_err(|error| Sentence::new(error.to_string()))?;
    let target = format!("{}?{}", url.path(), url.query().unwrap_or_default());
    client::ask(admin, Question::Get(&target))?.good()
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

/// What several commands, or pages, printed into one file is one list.
pub(crate) fn joined(mut documents: Vec<Value>) -> Value {
    if documents.len() == 1 {
        return documents.pop().unwrap_or_default();
    }
    let lists = documents.into_iter().flat_map(|document| match document {
        Value::Array(list) => list,
        Value::Object(mut members) => {
            let mut wrappers = ["value", "records"].into_iter();
            let wrapper = wrappers.find(|name| members.get(*name).is_some_and(Value::is_array));
            match wrapper.and_then(|name| members.remove(name)) {
                Some(Value::Array(list)) => list,
                _ => vec![Value::Object(members)],
            }
        }
        other => vec![other],
    });
    lists.collect()
}

/// JSON in any encoding, with comments and among warnings; other texts; bytes.
fn content(name: &str, bytes: Vec<u8>) -> Result<Content, Unreadable> {
    if !name.ends_with(".json") {
        return Ok(match String::from_utf8(bytes) {
            Ok(text) => Content::Text(text),
            Err(error) => Content::Bytes(error.into_bytes()),
        });
    }
    // Most are plain JSON, which a plain reader is quicker with; a log may be long.
    let plain = Some(&bytes).filter(|bytes| bytes.len() <= MAX_TEXT_BYTES);
    if let Some(Ok(value)) = plain.map(|bytes| serde_json::from_slice(bytes)) {
        return Ok(Content::Json(value));
    }
    match read_printed(&bytes) {
        Ok(documents) => Ok(Content::Json(joined(documents))),
        Err(error) => Err(Unreadable {
            file: name.to_owned(),
            pointer: String::new(),
            expected: error.to_string(),
        }),
    }
}
