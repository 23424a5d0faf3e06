//! The text files that the lint reads: what git tracks, and what it would track next.

use crate::steps::{Workspace, output_of};

/// One text file: its path from the workspace's root, with `/` between folders, and its text.
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Source {
    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// The place of a line (counted from 1) as editors understand it.
    pub(crate) fn at(&self, line: usize) -> String {
        format!("{}:{line}", self.path)
    }
}

/// New files count before they are committed, so that a mistake is found before it is kept.
pub(crate) fn tracked(workspace: &Workspace) -> anyhow::Result<Vec<Source>> {
    let mut list = workspace.command("git");
    list.args([
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]);
    let listed = output_of(&mut list)?;
    let mut sources = Vec::new();
    for path in listed.split('\0').filter(|path| !path.is_empty()) {
        // A deleted file is still listed until the deletion is staged; a binary one is no text.
        if let Ok(text) = std::fs::read_to_string(workspace.root().join(path)) {
            sources.push(Source {
                path: path.to_owned(),
                text,
            });
        }
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources.dedup_by(|a, b| a.path == b.path);
    Ok(sources)
}
