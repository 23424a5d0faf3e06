//! Notices that files have changed, by looking at them once a second.
//!
//! Looking needs nothing from the file system or the platform, and sees editors that replace a file
//! rather than write to it.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

/// How often the files are looked at. A change is told once it has stayed for one look more.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What tells one state of a file from another; `None` while there is no file.
type Signature = Option<(u64, u64, i64, i64, u64)>;

/// The state of some files at one time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Signatures(Vec<Signature>);

impl Signatures {
    pub(crate) async fn take(files: &[PathBuf]) -> Self {
        let mut signatures = Vec::with_capacity(files.len());
        for file in files {
            signatures.push(signature(file).await);
        }
        Self(signatures)
    }
}

async fn signature(file: &Path) -> Signature {
    let metadata = tokio::fs::metadata(file).await.ok()?;
    let (seconds, nanoseconds) = (metadata.mtime(), metadata.mtime_nsec());
    Some((
        metadata.dev(),
        metadata.ino(),
        seconds,
        nanoseconds,
        metadata.len(),
    ))
}

/// Returns when the files differ from `known` and have stayed as they are for a second, so that a
/// file is not read while it is written.
pub(crate) async fn changed(files: &[PathBuf], known: &Signatures) {
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before = known.clone();
    loop {
        looks.tick().await;
        let now = Signatures::take(files).await;
        if now != *known && now == before {
            return;
        }
        before = now;
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Instant;

    use tokio::time::timeout;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn a_change_is_told_when_it_is_over() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("gateway.json");
        fs::write(&file, "1").unwrap();
        let files = [file.clone()];
        let known = Signatures::take(&files).await;
        let watching = tokio::spawn(async move { changed(&files, &known).await });
        let start = Instant::now();
        for length in 2..5 {
            fs::write(&file, "1".repeat(length)).unwrap();
            tokio::time::sleep(LOOK_EVERY * 3 / 5).await;
            assert!(
                !watching.is_finished(),
                "told while it went on, at {:?}",
                start.elapsed()
            );
        }
        timeout(PATIENCE, watching).await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_replaced_file_is_a_changed_one_and_an_unchanged_one_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("gateway.json");
        fs::write(&file, "1").unwrap();
        let files = [file.clone()];
        let known = Signatures::take(&files).await;
        assert!(
            timeout(LOOK_EVERY * 5 / 2, changed(&files, &known))
                .await
                .is_err()
        );
        let other = directory.path().join("other");
        fs::write(&other, "2").unwrap();
        fs::rename(&other, &file).unwrap();
        timeout(PATIENCE, changed(&files, &known)).await.unwrap();
    }
}
