//! Exports as nobody should write them: none of it makes the diagnosis panic.

use std::fs;
use std::path::Path;

use gatewright_diagnosis::{Content, Evidence, File, Report, diagnose};
use serde_json::{Value, json};

use crate::{CASES, folders, outputs};

/// Changes of each folder.
const ROUNDS: u64 = 30;

/// Numbers that look like chance, and are the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        // Constants of Knuth's MMIX.
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound.max(1)
    }
}

fn gather(folder: &Path, prefix: &str, files: &mut Vec<File>) {
    let mut entries: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    for path in entries {
        let name = format!("{prefix}{}", path.file_name().unwrap().to_str().unwrap());
        if path.is_dir() {
            gather(&path, &format!("{name}/"), files);
            continue;
        }
        let bytes = fs::read(&path).unwrap();
        let content = match name.ends_with(".json") {
            true => {
                let mut documents = gatewright_template::read_printed(&bytes).unwrap();
                Content::Json(match documents.len() {
                    1 => documents.remove(0),
                    _ => Value::Array(documents),
                })
            }
            false => match String::from_utf8(bytes) {
                Ok(text) => Content::Text(text),
                Err(error) => Content::Bytes(error.into_bytes()),
            },
        };
        files.push(File { name, content });
    }
}

/// Puts something else in the place of one value.
fn mangle(value: &mut Value, dice: &mut Dice) {
    let inner = match value {
        Value::Array(items) if !items.is_empty() && dice.below(8) > 0 => {
            let index = dice.below(items.len());
            items.get_mut(index)
        }
        Value::Object(members) if !members.is_empty() && dice.below(8) > 0 => {
            let index = dice.below(members.len());
            members.values_mut().nth(index)
        }
        _ => None,
    };
    if let Some(inner) = inner {
        return mangle(inner, dice);
    }
    *value = match dice.below(10) {
        0 => Value::Null,
        1 => json!(""),
        2 => json!(-1),
        3 => json!(1e300),
        4 => json!([]),
        5 => json!({}),
        6 => json!([null, {"id": "/"}, {"name": 7}]),
        7 => json!("https://[::1]:99999/*?a\u{0}ß"),
        8 => json!(true),
        _ => json!({"id": "a/b/c/d", "properties": {"properties": []}}),
    };
}

#[test]
fn mangled_evidence_never_makes_it_panic() {
    let mut dice = Dice(7);
    let mut diagnosed = 0;
    for folder in folders(CASES) {
        let mut whole = Vec::new();
        gather(&folder, "", &mut whole);
        for _ in 0..ROUNDS {
            let mut files = whole.clone();
            for _ in 0..=dice.below(3) {
                let index = dice.below(files.len());
                match &mut files[index].content {
                    Content::Json(value) => mangle(value, &mut dice),
                    Content::Text(text) => text.truncate(dice.below(40)),
                    Content::Bytes(bytes) => bytes.clear(),
                }
            }
            if let Ok(evidence) = Evidence::read(files) {
                let verdict = diagnose(&evidence, 1_780_272_000);
                outputs::check(&Report::new(verdict, &evidence, &[]));
                diagnosed += 1;
            }
        }
    }
    assert!(diagnosed > 3_000, "{diagnosed}");
}
