//! The fields of a head, copied as they are.

use super::names::list_elements;

/// Copies the fields that cross, line by line as they stand in `bytes`, a whole head: neighbours
/// that both cross are one copy.
pub(crate) fn copy_fields(
    text: &mut Vec<u8>,
    bytes: &[u8],
    fields: &[httparse::Header<'_>],
    crosses: impl Fn(&httparse::Header<'_>) -> bool,
) {
    let mut run: Option<usize> = None;
    for field in fields {
        let start = field.name.as_ptr() as usize - bytes.as_ptr() as usize;
        if crosses(field) {
            run.get_or_insert(start);
        } else if let Some(from) = run.take() {
            text.extend_from_slice(&bytes[from..start]);
        }
    }
    if let Some(from) = run {
        // All but the empty line.
        text.extend_from_slice(&bytes[from..bytes.len() - 2]);
    }
}

/// Whether a Connection field says that fields of this name are for this hop only.
pub(crate) fn is_named_by_connection(name: &[u8], fields: &[httparse::Header<'_>]) -> bool {
    fields
        .iter()
        .filter(|field| field.name.eq_ignore_ascii_case("connection"))
        .flat_map(|field| list_elements(field.value))
        .any(|option| option.eq_ignore_ascii_case(name))
}
