//! What every store refuses.

use bytes::Bytes;
use gatewright_store::{
    CommitError, Condition, KEY_BYTES_MAX, Key, KeyError, OPERATIONS_MAX, StoreError, Transaction,
    VALUE_BYTES_MAX,
};

use crate::Fresh;
use crate::subject::{key, keys, put};

fn puts(count: usize) -> Transaction {
    let puts = (0..count).map(|n| key(&format!("k{n}")));
    puts.fold(Transaction::default(), |all, key| all.put(key, ""))
}

pub(crate) async fn what_is_too_large_is_refused(fresh: Box<dyn Fresh>) {
    let store = fresh.store();
    let mut conditions = put("a", "");
    conditions.conditions = vec![Condition::Absent(key("a")); OPERATIONS_MAX + 1];
    let large = |length: usize| Bytes::from(vec![0; length]);
    let four = ["a", "b", "c", "d"].map(key).into_iter();
    let refused = [
        puts(OPERATIONS_MAX + 1),
        conditions,
        put("a", "1").put(key("a"), "2"),
        put("a", "1").delete(key("a")),
        Transaction::default().put(key("a"), large(VALUE_BYTES_MAX + 1)),
        four.fold(Transaction::default(), |all, key| {
            all.put(key, large(VALUE_BYTES_MAX))
        }),
    ];
    for transaction in refused {
        match store.commit(transaction).await {
            Err(CommitError::Store(StoreError::Refused(sentence))) => {
                assert!(sentence.contains("a"), "{sentence}");
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(keys(store.as_ref(), "").await.is_empty());
    assert_eq!(Key::new(""), Err(KeyError::Empty));
    assert_eq!(Key::new("a\0"), Err(KeyError::Nul));
    let long = KEY_BYTES_MAX + 1;
    assert_eq!(Key::new("a".repeat(long)), Err(KeyError::TooLong(long)));
}

pub(crate) async fn what_is_just_not_too_large_is_taken(fresh: Box<dyn Fresh>) {
    let store = fresh.store();
    let mut most = puts(OPERATIONS_MAX);
    most.conditions = vec![Condition::Absent(key("z")); OPERATIONS_MAX];
    store.commit(most).await.unwrap();
    assert_eq!(keys(store.as_ref(), "k").await.len(), OPERATIONS_MAX);

    let longest = key(&"é".repeat(KEY_BYTES_MAX / 2));
    let largest = Bytes::from(vec![5; VALUE_BYTES_MAX]);
    let transaction = Transaction::default().put(longest.clone(), largest.clone());
    store.commit(transaction).await.unwrap();
    let entry = store.get(&longest).await.unwrap().unwrap();
    assert_eq!(entry.value, largest);
}
