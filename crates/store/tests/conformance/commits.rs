//! Transactions.

use std::sync::Arc;
use std::time::Duration;

use gatewright_store::{CommitError, Condition, Revision, Transaction};
use tokio::task::JoinSet;

use crate::Fresh;
use crate::subject::{delete, key, keys, next, put};

pub(crate) async fn every_step_has_the_next_revision(fresh: Box<dyn Fresh>) {
    let store = fresh.store();
    let base = store.revision().await.unwrap();
    for n in 1..=20 {
        let name = format!("k{}", n % 3);
        let revision = store.commit(put(&name, "")).await.unwrap();
        assert_eq!(revision.0, base.0 + n);
        assert_eq!(store.revision().await.unwrap(), revision);
        let page = store.list("", None, 1).await.unwrap();
        assert_eq!(page.revision, revision);
    }
}

pub(crate) async fn what_changes_nothing_makes_no_step(fresh: Box<dyn Fresh>) {
    let store = fresh.store();
    let last = store.commit(put("a", "1")).await.unwrap();
    let mut watch = store.watch("", last).await.unwrap();
    let nothing = [
        Transaction::default(),
        delete("b"),
        Transaction::default().when(Condition::Present(key("a"))),
        Transaction::default()
            .when(Condition::Absent(key("b")))
            .delete(key("b")),
    ];
    for transaction in nothing {
        assert_eq!(store.commit(transaction).await.unwrap(), last);
    }
    // The same value again is a change.
    let again = store.commit(put("a", "1").delete(key("b"))).await.unwrap();
    assert_eq!(again.0, last.0 + 1);
    let step = next(&mut watch).await;
    assert_eq!((step.revision, step.changes.len()), (again, 1));
}

pub(crate) async fn the_first_condition_that_fails_is_told(fresh: Box<dyn Fresh>) {
    let store = fresh.store();
    let at = store.commit(put("a", "1")).await.unwrap();
    let holding = [
        Condition::Present(key("a")),
        Condition::Absent(key("b")),
        Condition::ModifiedAt(key("a"), at),
    ];
    let failing = [
        Condition::Absent(key("a")),
        Condition::Present(key("b")),
        Condition::ModifiedAt(key("a"), Revision(at.0 + 1)),
        Condition::ModifiedAt(key("b"), at),
        Condition::ModifiedAt(key("b"), Revision(0)),
    ];
    for first in &failing {
        for second in &failing {
            let mut transaction = put("a", "2");
            transaction.conditions.extend(holding.clone());
            transaction
                .conditions
                .extend([first.clone(), second.clone()]);
            match store.commit(transaction).await {
                Err(CommitError::Conflict(condition)) => assert_eq!(condition, *first),
                other => panic!("{first:?}: {other:?}"),
            }
        }
    }
    let mut transaction = put("a", "2");
    transaction.conditions.extend(holding);
    store.commit(transaction).await.unwrap();
}

pub(crate) async fn a_transaction_with_a_failing_condition_changes_nothing(fresh: Box<dyn Fresh>) {
    let store = fresh.store();
    let last = store
        .commit(put("a", "1").put(key("b"), "1"))
        .await
        .unwrap();
    let transaction = put("a", "2")
        .delete(key("b"))
        .put(key("c"), "2")
        .when(Condition::Absent(key("b")));
    let refused = store.commit(transaction).await;
    assert!(matches!(refused, Err(CommitError::Conflict(_))));
    assert_eq!(store.revision().await.unwrap(), last);
    assert_eq!(keys(store.as_ref(), "").await, ["a", "b"]);
    let entry = store.get(&key("a")).await.unwrap().unwrap();
    assert_eq!((entry.value.as_ref(), entry.modified), (&b"1"[..], last));
}

pub(crate) async fn an_entry_made_anew_is_a_new_one(fresh: Box<dyn Fresh>) {
    let store = fresh.store();
    let first = store.commit(put("a", "1")).await.unwrap();
    store.commit(delete("a")).await.unwrap();
    let stale = put("a", "2").when(Condition::ModifiedAt(key("a"), first));
    let refused = store.commit(stale.clone()).await;
    assert!(matches!(refused, Err(CommitError::Conflict(_))));
    let anew = store.commit(put("a", "1")).await.unwrap();
    let entry = store.get(&key("a")).await.unwrap().unwrap();
    assert_eq!((entry.created, entry.modified), (anew, anew));
    let refused = store.commit(stale).await;
    assert!(matches!(refused, Err(CommitError::Conflict(_))));
}

pub(crate) async fn conditions_see_the_state_before_the_operations(fresh: Box<dyn Fresh>) {
    let store = fresh.store();
    let making = put("a", "1").when(Condition::Absent(key("a")));
    store.commit(making).await.unwrap();
    let removing = delete("a").when(Condition::Present(key("a")));
    store.commit(removing).await.unwrap();
    assert!(keys(store.as_ref(), "").await.is_empty());
}

pub(crate) async fn of_many_that_race_one_wins(fresh: Box<dyn Fresh>) {
    let store = fresh.store();
    store.commit(put("counter", "0")).await.unwrap();
    let mut tasks = JoinSet::new();
    for _ in 0..8 {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            let mut won = 0_u64;
            while won < 20 {
                let entry = store.get(&key("counter")).await.unwrap().unwrap();
                let count: u64 = std::str::from_utf8(&entry.value).unwrap().parse().unwrap();
                let transaction = put("counter", &(count + 1).to_string())
                    .when(Condition::ModifiedAt(key("counter"), entry.modified));
                match store.commit(transaction).await {
                    Ok(_) => won += 1,
                    Err(CommitError::Conflict(_)) => {}
                    Err(other) => panic!("{other}"),
                }
            }
        });
    }
    tasks.join_all().await;
    let entry = store.get(&key("counter")).await.unwrap().unwrap();
    assert_eq!(entry.value, "160");
}

pub(crate) async fn a_dropped_commit_is_whole_or_not_there(fresh: Box<dyn Fresh>) {
    let store = fresh.store();
    for n in 0..200_u64 {
        let value = n.to_string();
        let transaction = put("a", &value).put(key("b"), value.clone());
        let commit = store.commit(transaction);
        let _ = tokio::time::timeout(Duration::from_micros(n * 3), commit).await;
        let page = store.list("", None, 10).await.unwrap();
        let values: Vec<_> = page.entries.iter().map(|entry| &entry.value).collect();
        assert!(values.is_empty() || (values.len() == 2 && values[0] == values[1]));
    }
    store
        .commit(put("a", "end").put(key("b"), "end"))
        .await
        .unwrap();
}
