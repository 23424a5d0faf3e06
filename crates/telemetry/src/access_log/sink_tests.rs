use std::fs;
use std::path::Path;

use super::*;
use crate::record_channel;
use crate::samples::{plain_request, refused_request};

fn batch(records: usize) -> RecordBatch {
    let mut batch = RecordBatch::default();
    for _ in 0..records {
        let record = plain_request(&mut batch);
        batch.push(record);
    }
    batch
}

fn to_file(path: &Path) -> AccessLogTarget {
    AccessLogTarget::File(path.to_owned(), Rotation::default())
}

fn read_lines(path: &Path) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn closing_writes_everything_that_was_submitted() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("access.log");
    let (sender, receiver) = record_channel(64);
    let log = AccessLog::start(to_file(&path), Arc::default(), receiver).unwrap();
    for _ in 0..50 {
        sender.submit(&mut batch(100));
    }
    let shared = Arc::clone(&log.shared);
    log.close();
    assert_eq!(
        shared.written.load(Ordering::Relaxed) + sender.dropped(),
        5_000
    );
    assert_eq!(sender.dropped(), 0);
    assert_eq!(read_lines(&path).len(), 5_000);
    assert_eq!(log.totals().with_class(2), 5_000);
}

#[test]
fn lines_appear_without_further_traffic() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("access.log");
    let (sender, receiver) = record_channel(4);
    let log = AccessLog::start(to_file(&path), Arc::default(), receiver).unwrap();
    sender.submit(&mut batch(1));
    let deadline = Instant::now() + Duration::from_secs(20);
    while log.status().written == 0 && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(read_lines(&path).len(), 1);
    drop(sender);
    log.close();
}

#[test]
fn without_a_target_requests_are_still_counted() {
    let (sender, receiver) = record_channel(4);
    let log = AccessLog::start(AccessLogTarget::Nowhere, Arc::default(), receiver).unwrap();
    let mut one = RecordBatch::default();
    let record = refused_request(&mut one);
    one.push(record);
    sender.submit(&mut one);
    log.close();
    assert_eq!(log.totals().with_class(5), 1);
    assert_eq!(log.status().written, 0);
}

#[test]
fn a_path_that_cannot_be_opened_is_told_at_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let (_sender, receiver) = record_channel(1);
    let target = to_file(&directory.path().join("missing/access.log"));
    let error = AccessLog::start(target, Arc::default(), receiver).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
}

/// A device that is always full stands for a full disk.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_loses_lines_and_nothing_else() {
    let (sender, receiver) = record_channel(4);
    let target = to_file(Path::new("/dev/full"));
    let log = AccessLog::start(target, Arc::default(), receiver).unwrap();
    sender.submit(&mut batch(3));
    let deadline = Instant::now() + Duration::from_secs(20);
    while log.status().lost < 3 && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(10));
    }
    let status = log.status();
    assert_eq!((status.written, status.lost), (0, 3));
    assert!(status.error.is_some());
    assert_eq!(log.totals().requests(), 3);
    log.close();
}

/// Takes this many bytes, then is full once, and then takes everything.
struct FullOnce {
    room: Option<usize>,
    taken: Arc<Mutex<Vec<u8>>>,
}

impl Write for FullOnce {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = bytes.len().min(self.room.unwrap_or(usize::MAX));
        if length == 0 {
            self.room = None;
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.room = self.room.map(|room| room - length);
        self.taken
            .lock()
            .unwrap()
            .extend_from_slice(&bytes[..length]);
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_line_that_was_cut_off_spoils_no_other() {
    let taken = Arc::new(Mutex::new(Vec::new()));
    let (_sender, receiver) = record_channel(1);
    let output = FullOnce {
        room: Some(1_500),
        taken: Arc::clone(&taken),
    };
    let output = Some(Output::Test(Box::new(output)));
    let mut writer = Writer::new(output, Arc::default(), receiver, Arc::default());
    for records in [2, 1] {
        writer.take(batch(records));
        writer.write_out();
    }
    let text = String::from_utf8(taken.lock().unwrap().clone()).unwrap();
    let parses = |line| serde_json::from_str::<serde_json::Value>(line).is_ok();
    let lines: Vec<bool> = text.lines().map(parses).collect();
    assert_eq!(lines, [true, false, true]);
    let shared = &writer.shared;
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    assert_eq!((count(&shared.written), count(&shared.lost)), (2, 1));
    assert_eq!(*shared.error.lock().unwrap(), None);
}
