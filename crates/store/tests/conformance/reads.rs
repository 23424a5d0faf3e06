//! Getting and listing.

use bytes::Bytes;
use gatewright_store::{Entry, Transaction};

use crate::Fresh;
use crate::subject::{delete, key, keys, put};

pub(crate) async fn an_entry_is_read_as_it_was_written(fresh: Box<dyn Fresh>) {
    let store = fresh.store();
    assert_eq!(store.get(&key("a")).await.unwrap(), None);
    assert_eq!(store.modified(&key("a")).await.unwrap(), None);
    let every_byte: Bytes = (0..=255).collect();
    let transaction = Transaction::default()
        .put(key("a"), every_byte.clone())
        .put(key("empty"), Bytes::new());
    let created = store.commit(transaction).await.unwrap();
    let entry = |name: &str, value: Bytes| Entry {
        key: key(name),
        value,
        created,
        modified: created,
    };
    let found = store.get(&key("a")).await.unwrap();
    assert_eq!(found, Some(entry("a", every_byte)));
    let found = store.get(&key("empty")).await.unwrap();
    assert_eq!(found, Some(entry("empty", Bytes::new())));
    let modified = store.commit(put("a", "new")).await.unwrap();
    let found = store.get(&key("a")).await.unwrap().unwrap();
    assert_eq!((found.created, found.modified), (created, modified));
    assert_eq!(store.modified(&key("a")).await.unwrap(), Some(modified));
    assert_eq!(store.modified(&key("empty")).await.unwrap(), Some(created));
    store.commit(delete("a")).await.unwrap();
    assert_eq!(store.get(&key("a")).await.unwrap(), None);
    assert_eq!(store.modified(&key("a")).await.unwrap(), None);
}

pub(crate) async fn a_list_has_the_keys_of_its_prefix_in_the_order_of_their_bytes(
    fresh: Box<dyn Fresh>,
) {
    let store = fresh.store();
    // By bytes: `Z` before `a`, `a-` and `a.` before `a/`, and characters of four bytes last.
    let ordered = [
        "\u{1}",
        " ",
        "%",
        "A",
        "Z",
        "_",
        "a",
        "a-b",
        "a.b",
        "a/",
        "a/b",
        "a/b/c",
        "a0",
        "aa",
        "b",
        "é",
        "\u{7ff}",
        "\u{fffd}",
        "\u{ffff}",
        "\u{10000}",
        "\u{10ffff}",
    ];
    let shuffled = (0..ordered.len()).map(|n| ordered[(n * 8) % ordered.len()]);
    for name in shuffled {
        store.commit(put(name, name)).await.unwrap();
    }
    let store = store.as_ref();
    assert_eq!(keys(store, "").await, ordered);
    assert_eq!(
        keys(store, "a").await,
        ["a", "a-b", "a.b", "a/", "a/b", "a/b/c", "a0", "aa"]
    );
    assert_eq!(keys(store, "a/").await, ["a/", "a/b", "a/b/c"]);
    assert_eq!(keys(store, "a/b").await, ["a/b", "a/b/c"]);
    assert_eq!(keys(store, "%").await, ["%"]);
    assert_eq!(keys(store, "_").await, ["_"]);
    assert_eq!(keys(store, "A").await, ["A"]);
    assert!(keys(store, "a/b/c/d").await.is_empty());
    assert!(keys(store, "\0").await.is_empty());
    assert!(keys(store, &"a".repeat(5_000)).await.is_empty());
}

pub(crate) async fn a_prefix_ends_where_its_last_byte_could_not_be_greater(fresh: Box<dyn Fresh>) {
    let store = fresh.store();
    // The greatest bytes that UTF-8 has: the end of such a prefix is no text, or there is none.
    let names = [
        "a\u{7f}",
        "a\u{7f}x",
        "a\u{80}",
        "\u{bf}",
        "\u{bf}x",
        "\u{c0}",
        "\u{7ff}x",
        "\u{800}",
        "\u{10ffff}",
        "\u{10ffff}\u{10ffff}",
        "\u{10ffff}\u{10ffff}x",
    ];
    for name in names {
        store.commit(put(name, "")).await.unwrap();
    }
    let store = store.as_ref();
    assert_eq!(keys(store, "a\u{7f}").await, ["a\u{7f}", "a\u{7f}x"]);
    assert_eq!(keys(store, "\u{bf}").await, ["\u{bf}", "\u{bf}x"]);
    assert_eq!(keys(store, "\u{7ff}").await, ["\u{7ff}x"]);
    assert_eq!(keys(store, "\u{10ffff}").await, names[8..]);
    assert_eq!(keys(store, "\u{10ffff}\u{10ffff}").await, names[9..]);
    assert_eq!(keys(store, "").await.len(), names.len());
}

pub(crate) async fn pages_follow_on_each_other(fresh: Box<dyn Fresh>) {
    let store = fresh.store();
    let mut all = Transaction::default();
    for n in 0..25 {
        all = all.put(key(&format!("p/{n:02}")), "");
    }
    let others = all.put(key("p"), "").put(key("q"), "");
    let revision = store.commit(others).await.unwrap();
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = store.list("p/", after.as_ref(), 10).await.unwrap();
        assert_eq!(page.revision, revision);
        assert!(page.entries.len() <= 10);
        seen.extend(page.entries.iter().map(|entry| entry.key.to_string()));
        after = page.entries.last().map(|entry| entry.key.clone());
        if !page.more {
            break;
        }
    }
    let expected: Vec<String> = (0..25).map(|n| format!("p/{n:02}")).collect();
    assert_eq!(seen, expected);

    let page = |after: &'static str, limit| {
        let store = fresh.store();
        async move {
            let after = key(after);
            let page = store.list("p/", Some(&after), limit).await.unwrap();
            (page.entries.len(), page.more)
        }
    };
    // An entry whose key is the prefix comes first, and not after itself.
    store.commit(put("p/", "")).await.unwrap();
    let first = store.list("p/", None, 1).await.unwrap();
    assert_eq!(first.entries[0].key.as_str(), "p/");
    // From before the prefix, from its very text, from a key that is not there, from behind.
    assert_eq!(page("a", 26).await, (26, false));
    assert_eq!(page("p/", 25).await, (25, false));
    assert_eq!(page("p/20x", 25).await, (4, false));
    assert_eq!(page("p/24", 25).await, (0, false));
    assert_eq!(page("z", 25).await, (0, false));
    assert_eq!(page("p/22", 1).await, (1, true));
    assert_eq!(page("p/22", 2).await, (2, false));
}

pub(crate) async fn a_page_of_large_values_ends_early(fresh: Box<dyn Fresh>) {
    let store = fresh.store();
    let value = Bytes::from(vec![7; 15 * 1024 * 1024]);
    for n in 0..5 {
        let large = Transaction::default().put(key(&format!("l/{n}")), value.clone());
        store.commit(large).await.unwrap();
    }
    let (mut seen, mut pages, mut after) = (0, 0, None);
    loop {
        let page = store.list("l/", after.as_ref(), 10_000).await.unwrap();
        assert!(page.entries.iter().all(|entry| entry.value == value));
        assert!(!page.entries.is_empty());
        seen += page.entries.len();
        pages += 1;
        after = page.entries.last().map(|entry| entry.key.clone());
        if !page.more {
            break;
        }
    }
    assert_eq!(seen, 5);
    assert!(pages > 1, "75 MiB came as one page");
}
