use super::*;

/// What the first released version of the program made, word for word: the first step must make
/// the same for ever.
const VERSION_1: &str = "
    PRAGMA application_id = 1196913524;
    CREATE TABLE state (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        revision INTEGER NOT NULL,
        compacted INTEGER NOT NULL,
        log_bytes INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE meta (name TEXT NOT NULL PRIMARY KEY, value BLOB NOT NULL) STRICT;
    CREATE TABLE entry (
        key TEXT NOT NULL PRIMARY KEY,
        created INTEGER NOT NULL,
        modified INTEGER NOT NULL,
        value BLOB NOT NULL
    ) STRICT;
    CREATE TABLE step (revision INTEGER PRIMARY KEY, bytes INTEGER NOT NULL) STRICT;
    CREATE TABLE change (
        revision INTEGER NOT NULL,
        key TEXT NOT NULL,
        created INTEGER,
        value BLOB,
        PRIMARY KEY (revision, key)
    ) STRICT;
    INSERT INTO state VALUES (1, 7, 6, 66);
    INSERT INTO entry VALUES ('a', 3, 7, x'31'), ('b', 5, 5, x'32');
    INSERT INTO step VALUES (7, 66);
    INSERT INTO change VALUES (7, 'a', 3, x'31');
    PRAGMA user_version = 1;
";

fn version_1(place: &tempfile::TempDir) -> Directory {
    let directory = Directory::new(place.path());
    let connection = Connection::open(directory.database()).unwrap();
    connection.execute_batch(VERSION_1).unwrap();
    directory
}

fn version(file: &Path) -> i64 {
    let connection = Connection::open(file).unwrap();
    let version = connection.pragma_query_value(None, "user_version", |row| row.get(0));
    version.unwrap()
}

#[test]
fn a_database_of_the_first_version_is_brought_to_the_present_one() {
    let place = tempfile::tempdir().unwrap();
    let directory = version_1(&place);
    let connection = open(&directory).unwrap();
    let contents = super::super::audit::audit(&connection).unwrap();
    assert_eq!((contents.revision.0, contents.entries), (7, 2));
    let key = crate::model::Key::new("a").unwrap();
    let entry = super::super::reader::get(&connection, &key).unwrap();
    assert_eq!(&*entry.unwrap().value, b"1");
    drop(connection);
    assert_eq!(
        version(&directory.database()),
        i64::try_from(STEPS.len()).unwrap()
    );
}

#[test]
fn steps_are_carried_out_once_each_and_in_order() {
    let place = tempfile::tempdir().unwrap();
    let file = version_1(&place).database();
    let steps = [
        STEPS[0],
        "CREATE TABLE more (n INTEGER) STRICT; INSERT INTO more SELECT revision FROM state;",
        "UPDATE more SET n = n * 10;",
    ];
    for _ in 0..2 {
        let mut connection = reopen(&file).unwrap();
        migrate(&file, &mut connection, &steps).unwrap();
        let more: Vec<i64> = {
            let mut statement = connection.prepare("SELECT n FROM more").unwrap();
            let rows = statement.query_map((), |row| row.get(0)).unwrap();
            rows.map(Result::unwrap).collect()
        };
        assert_eq!(more, [70]);
    }
    assert_eq!(version(&file), 3);
}

#[test]
fn a_step_that_fails_leaves_the_version_before_it() {
    let place = tempfile::tempdir().unwrap();
    let file = version_1(&place).database();
    let steps = [
        STEPS[0],
        "CREATE TABLE second (n INTEGER) STRICT;",
        "CREATE TABLE third (n INTEGER) STRICT; INSERT INTO missing VALUES (1);",
    ];
    let mut connection = reopen(&file).unwrap();
    let failed = migrate(&file, &mut connection, &steps).unwrap_err();
    assert!(matches!(failed, OpenError::Failed { .. }), "{failed}");
    assert_eq!(version(&file), 2);
    let names: Vec<_> = schema(&connection)
        .unwrap()
        .into_iter()
        .map(|row| row.1)
        .collect();
    assert!(names.contains(&"second".to_owned()) && !names.contains(&"third".to_owned()));
}

#[test]
fn the_writer_syncs_every_commit() {
    let place = tempfile::tempdir().unwrap();
    let directory = Directory::new(place.path());
    for connection in [open(&directory), reopen(&directory.database())] {
        let connection = connection.unwrap();
        let pragma = |name: &str| -> String {
            let value = connection
                .pragma_query_value(None, name, |row| row.get::<_, rusqlite::types::Value>(0));
            match value.unwrap() {
                rusqlite::types::Value::Integer(value) => value.to_string(),
                rusqlite::types::Value::Text(value) => value,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(pragma("journal_mode"), "wal");
        assert_eq!(pragma("synchronous"), "2");
        assert_eq!(pragma("fullfsync"), "1");
        assert_eq!(pragma("wal_autocheckpoint"), "0");
        assert_eq!(pragma("trusted_schema"), "0");
    }
}

#[test]
fn a_reader_cannot_write() {
    let place = tempfile::tempdir().unwrap();
    let directory = Directory::new(place.path());
    let _writer = open(&directory).unwrap();
    let reader = reader(&directory.database()).unwrap();
    let written = reader.execute("UPDATE state SET revision = 9", ());
    assert!(written.is_err());
}
