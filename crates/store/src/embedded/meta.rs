//! What a database knows about itself beside its entries.

use rusqlite::{Connection, OptionalExtension};

use super::directory::Directory;
use super::error::OpenError;
use super::schema::cannot;
use crate::sealing::{KeySources, SEALING_KEY_FILE, SealingKey, SealingKeyError};

/// A value that the sealing key made, to recognise it by.
const SEALING_KEY_CHECK: &str = "sealing-key-check";

/// The key that the directory was sealed with; where it was not sealed yet, a key from `sources`,
/// or a new one, which is bound to it.
pub(super) fn sealing_key(
    directory: &Directory,
    connection: &Connection,
    sources: &KeySources,
) -> Result<SealingKey, OpenError> {
    let file = directory.database();
    let check = read(connection, SEALING_KEY_CHECK).map_err(|error| cannot(&file, &error))?;
    if let Some(check) = check {
        // None is made here: a new key could not open what another one sealed.
        let Some(key) = SealingKey::load(directory.path(), sources)? else {
            let file = directory.path().join(SEALING_KEY_FILE);
            return Err(SealingKeyError::Missing { file }.into());
        };
        key.made(&check)?;
        return Ok(key);
    }
    let key = SealingKey::load_or_create(directory.path(), sources)?;
    let check = key.check_value().map_err(|error| OpenError::Failed {
        file: file.clone(),
        reason: error.to_string(),
    })?;
    write(connection, SEALING_KEY_CHECK, &check).map_err(|error| cannot(&file, &error))?;
    Ok(key)
}

fn read(connection: &Connection, name: &str) -> rusqlite::Result<Option<Vec<u8>>> {
    let query = "SELECT value FROM meta WHERE name = ?1";
    let found = connection.query_row(query, [name], |row| row.get(0));
    found.optional()
}

fn write(connection: &Connection, name: &str, value: &[u8]) -> rusqlite::Result<()> {
    let insert = "INSERT INTO meta (name, value) VALUES (?1, ?2)";
    connection.execute(insert, (name, value)).map(drop)
}
