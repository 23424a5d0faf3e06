//! One transaction, carried out on the database.

use rusqlite::{Connection, OptionalExtension};

use super::change_log::{self, Put, Written};
use super::packing::pack;
use super::schema::State;
use crate::model::{Condition, Key, Operation, Revision, Transaction};
use crate::traits::{CommitError, StoreError};

/// Checks the conditions in order, carries out the operations, and adds the step to the change
/// log. Where nothing changes there is no step, and the revision stays.
///
/// Where it fails, `state` is as it was, but the database may not be.
pub(super) fn apply(
    connection: &Connection,
    state: &mut State,
    transaction: &Transaction,
) -> Result<Revision, CommitError> {
    for condition in &transaction.conditions {
        if !holds(connection, condition)? {
            return Err(CommitError::Conflict(condition.clone()));
        }
    }
    let revision = next(state)?;
    let mut changes = Vec::new();
    for operation in &transaction.operations {
        changes.extend(carry_out(connection, revision, operation)?);
    }
    if changes.is_empty() {
        return Ok(Revision(state.revision));
    }
    // The state is touched last: where something fails, it is as it was.
    let weight = change_log::append(connection, revision, &changes)?;
    state.revision = revision.0;
    state.log_bytes = state.log_bytes.saturating_add(weight);
    Ok(revision)
}

fn next(state: &State) -> Result<Revision, StoreError> {
    let next = state.revision.checked_add(1);
    // The database counts with one bit less.
    let next = next.filter(|next| i64::try_from(*next).is_ok());
    next.map(Revision)
        .ok_or_else(|| StoreError::Failed("there are no more revisions".to_owned()))
}

fn holds(connection: &Connection, condition: &Condition) -> Result<bool, StoreError> {
    let modified = modified(connection, condition.key())?;
    Ok(match condition {
        Condition::Absent(_) => modified.is_none(),
        Condition::Present(_) => modified.is_some(),
        Condition::ModifiedAt(_, at) => modified == Some(*at),
    })
}

fn modified(connection: &Connection, key: &Key) -> Result<Option<Revision>, StoreError> {
    let query = "SELECT modified FROM entry WHERE key = ?1";
    let mut statement = connection.prepare_cached(query)?;
    let found = statement.query_row([key.as_str()], |row| row.get(0));
    Ok(found.optional()?.map(Revision))
}

fn carry_out<'a>(
    connection: &Connection,
    revision: Revision,
    operation: &'a Operation,
) -> Result<Option<Written<'a>>, StoreError> {
    match operation {
        Operation::Put(key, value) => {
            let put = "INSERT INTO entry (key, created, modified, value, unpacked)
                       VALUES (?1, ?2, ?2, ?3, ?4)
                       ON CONFLICT (key) DO UPDATE SET modified = ?2, value = ?3, unpacked = ?4
                       RETURNING created";
            let mut statement = connection.prepare_cached(put)?;
            let value = pack(value);
            let row = (key.as_str(), revision.0, &*value.bytes, value.unpacked);
            let created = Revision(statement.query_row(row, |row| row.get(0))?);
            let put = Some(Put { value, created });
            Ok(Some(Written { key, put }))
        }
        Operation::Delete(key) => {
            let delete = "DELETE FROM entry WHERE key = ?1";
            let deleted = connection.prepare_cached(delete)?.execute([key.as_str()])?;
            Ok((deleted > 0).then_some(Written { key, put: None }))
        }
    }
}
