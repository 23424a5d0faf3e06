//! Watching.

use std::time::Duration;

use bytes::Bytes;
use gatewright_store::{Change, Entry, Revision, Transaction, Watch, WatchError};

use crate::Fresh;
use crate::subject::{PATIENCE, delete, key, next, put};

/// Whether nothing comes for a moment.
async fn is_silent(watch: &mut Box<dyn Watch>) -> bool {
    let next = tokio::time::timeout(Duration::from_millis(50), watch.next());
    next.await.is_err()
}

pub(crate) async fn a_watch_tells_every_step_from_where_it_began(fresh: Box<dyn Fresh>) {
    let store = fresh.store();
    let base = store.revision().await.unwrap();
    for n in 0..10 {
        store.commit(put(&format!("k{n}"), "")).await.unwrap();
    }
    for began in [0, 1, 5, 9, 10] {
        let after = Revision(base.0 + began);
        let mut watch = store.watch("", after).await.unwrap();
        for n in began..10 {
            let step = next(&mut watch).await;
            assert_eq!(step.revision.0, base.0 + n + 1);
            assert_eq!(step.changes[0].key().as_str(), format!("k{n}"));
        }
        assert!(is_silent(&mut watch).await);
    }
}

pub(crate) async fn a_watch_tells_of_its_prefix_only(fresh: Box<dyn Fresh>) {
    let store = fresh.store();
    let base = store.revision().await.unwrap();
    let mut early = store.watch("a/", base).await.unwrap();
    let mut other = store.watch("b/", base).await.unwrap();
    let both = put("b/1", "").put(key("a/2"), "").put(key("a/1"), "");
    let both = store.commit(both).await.unwrap();
    store.commit(put("c", "")).await.unwrap();
    let b = store.commit(put("b/2", "")).await.unwrap();
    store.commit(put("a", "").put(key("a0"), "")).await.unwrap();
    let a = store.commit(delete("a/1")).await.unwrap();
    let mut late = store.watch("a/", base).await.unwrap();
    let names = |changes: &[Change]| -> Vec<String> {
        changes
            .iter()
            .map(|change| change.key().to_string())
            .collect()
    };
    for watch in [&mut early, &mut late] {
        let step = next(watch).await;
        assert_eq!(step.revision, both);
        assert_eq!(names(&step.changes), ["a/1", "a/2"]);
        let step = next(watch).await;
        assert_eq!(step.revision, a);
        assert_eq!(step.changes, [Change::Deleted(key("a/1"))]);
        assert!(is_silent(watch).await);
    }
    assert_eq!(names(&next(&mut other).await.changes), ["b/1"]);
    assert_eq!(next(&mut other).await.revision, b);
    assert!(is_silent(&mut other).await);
}

pub(crate) async fn a_watch_waits_for_what_comes(fresh: Box<dyn Fresh>) {
    let store = fresh.store();
    let base = store.revision().await.unwrap();
    let mut watch = store.watch("a", base).await.unwrap();
    let waiting = tokio::spawn(async move { next(&mut watch).await });
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(!waiting.is_finished());
    store.commit(put("b", "")).await.unwrap();
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(!waiting.is_finished());
    let revision = store.commit(put("a", "")).await.unwrap();
    assert_eq!(waiting.await.unwrap().revision, revision);
}

pub(crate) async fn a_watch_may_begin_in_the_future(fresh: Box<dyn Fresh>) {
    let store = fresh.store();
    let base = store.revision().await.unwrap();
    let mut soon = store.watch("", Revision(base.0 + 2)).await.unwrap();
    let mut never = store.watch("", Revision(u64::MAX)).await.unwrap();
    for _ in 0..3 {
        store.commit(put("a", "")).await.unwrap();
    }
    assert_eq!(next(&mut soon).await.revision.0, base.0 + 3);
    assert!(is_silent(&mut never).await);
}

pub(crate) async fn a_step_tells_what_the_entry_was_then(fresh: Box<dyn Fresh>) {
    let store = fresh.store();
    let created = store.commit(put("a", "1")).await.unwrap();
    let modified = store.commit(put("a", "2")).await.unwrap();
    let deleted = store.commit(delete("a")).await.unwrap();
    let anew = store.commit(put("a", "")).await.unwrap();
    let mut watch = store.watch("a", Revision(created.0 - 1)).await.unwrap();
    let entry = |value: &'static str, created: Revision, modified: Revision| {
        Change::Put(Entry {
            key: key("a"),
            value: Bytes::from(value),
            created,
            modified,
        })
    };
    let expected = [
        (created, entry("1", created, created)),
        (modified, entry("2", created, modified)),
        (deleted, Change::Deleted(key("a"))),
        (anew, entry("", anew, anew)),
    ];
    for (revision, change) in expected {
        let step = next(&mut watch).await;
        assert_eq!((step.revision, step.changes), (revision, vec![change]));
    }
}

pub(crate) async fn dropping_a_wait_loses_nothing(fresh: Box<dyn Fresh>) {
    const STEPS: u64 = 300;
    let store = fresh.store();
    let base = store.revision().await.unwrap();
    let mut watch = store.watch("a", base).await.unwrap();
    let writer = tokio::spawn(async move {
        for n in 0..STEPS {
            let name = if n % 3 == 0 { "b" } else { "a" };
            store.commit(put(name, &n.to_string())).await.unwrap();
        }
    });
    let (mut seen, mut dropped) = (Vec::new(), 0_u64);
    let began = std::time::Instant::now();
    while seen.len() < 200 {
        assert!(began.elapsed() < PATIENCE, "{} steps came", seen.len());
        let patience = Duration::from_micros(dropped * 37 % 2_000);
        match tokio::time::timeout(patience, watch.next()).await {
            Ok(step) => seen.push(step.unwrap().revision.0 - base.0 - 1),
            Err(_) => dropped += 1,
        }
    }
    writer.await.unwrap();
    let expected: Vec<u64> = (0..STEPS).filter(|n| n % 3 != 0).collect();
    assert_eq!(seen, expected);
    assert!(dropped > 0, "no wait was dropped");
}

pub(crate) async fn steps_that_are_not_kept_are_told_to_be_missing(fresh: Box<dyn Fresh>) {
    let store = fresh.store();
    let base = store.revision().await.unwrap();
    let first = store.commit(put("a", "1")).await.unwrap();
    fresh.forget(first).await;
    let Err(WatchError::Compacted { oldest }) = store.watch("a", base).await else {
        panic!("a watch began with a step that is not kept");
    };
    assert!(oldest > first);
    // From there on nothing is missing.
    let mut watch = store.watch("a", Revision(oldest.0 - 1)).await.unwrap();
    let missing = oldest.0.checked_sub(2).map(Revision);
    let too_early = store.watch("a", missing.unwrap()).await;
    assert!(matches!(too_early, Err(WatchError::Compacted { .. })));
    // What was forgotten is the history, not the entry.
    assert_eq!(store.get(&key("a")).await.unwrap().unwrap().modified, first);
    let revision = store.commit(put("a", "2")).await.unwrap();
    assert_eq!(next(&mut watch).await.revision, revision);
}

pub(crate) async fn a_watch_that_fell_behind_is_told_so(fresh: Box<dyn Fresh>) {
    let store = fresh.store();
    let base = store.revision().await.unwrap();
    let mut watch = store.watch("a", base).await.unwrap();
    let first = store.commit(put("a", "1")).await.unwrap();
    fresh.forget(first).await;
    let told = tokio::time::timeout(PATIENCE, watch.next()).await;
    match told.expect("nothing came") {
        Err(WatchError::Compacted { oldest }) => assert!(oldest > first),
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn large_steps_come_whole(fresh: Box<dyn Fresh>) {
    let store = fresh.store();
    let base = store.revision().await.unwrap();
    let value = Bytes::from(vec![1; 3 * 1024 * 1024]);
    for n in 0..6 {
        let names = ["a", "b", "c"].map(|part| key(&format!("l/{n}/{part}")));
        let transaction = names.into_iter().fold(Transaction::default(), |all, key| {
            all.put(key, value.clone())
        });
        store.commit(transaction).await.unwrap();
    }
    let mut watch = store.watch("l/", base).await.unwrap();
    for n in 0..6 {
        let step = next(&mut watch).await;
        assert_eq!(step.revision.0, base.0 + n + 1);
        assert_eq!(step.changes.len(), 3);
        for change in step.changes {
            let Change::Put(entry) = change else {
                panic!("a deletion");
            };
            assert_eq!(
                (entry.value.len(), entry.modified),
                (value.len(), step.revision)
            );
        }
    }
}

pub(crate) async fn many_watches_see_the_same(fresh: Box<dyn Fresh>) {
    const STEPS: usize = 100;
    let store = fresh.store();
    let base = store.revision().await.unwrap();
    let mut watchers = tokio::task::JoinSet::new();
    for n in 0..20_u64 {
        let mut watch = store.watch("", base).await.unwrap();
        watchers.spawn(async move {
            let mut seen = Vec::new();
            while seen.len() < STEPS {
                seen.push(next(&mut watch).await);
                tokio::time::sleep(Duration::from_micros(n * 20)).await;
            }
            seen
        });
    }
    for n in 0..STEPS {
        store
            .commit(put(&format!("k{}", n % 7), &n.to_string()))
            .await
            .unwrap();
    }
    let all = watchers.join_all().await;
    assert!(all.iter().all(|seen| *seen == all[0]));
}
