//! Large receive buffers, shared by all connections of a thread.
//!
//! A connection has one only while bytes are in hand, so the few in use stay in the cache, and an
//! idle connection costs none.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

/// Size of a buffer, in bytes: room for any head, and for a large body's receive in one go.
pub(crate) const BUFFER_BYTES: usize = 128 * 1024;

/// Buffers that a thread keeps for reuse; more are given back to the allocator.
const SPARE_BUFFERS_MAX: usize = 16;

thread_local! {
    static SPARE: RefCell<Vec<Box<[u8]>>> = const { RefCell::new(Vec::new()) };
}

/// A buffer of [`BUFFER_BYTES`], returned to its thread's spares when dropped. The most recently
/// returned is taken first, since it is the warmest.
#[derive(Debug)]
pub(crate) struct Buffer(Box<[u8]>);

impl Buffer {
    pub(crate) fn take() -> Self {
        let spare = SPARE.with_borrow_mut(Vec::pop);
        Self(spare.unwrap_or_else(|| vec![0; BUFFER_BYTES].into_boxed_slice()))
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.0);
        // A thread that is ending has no spares any more, and needs none.
        let _ = SPARE.try_with(|spare| {
            let mut spare = spare.borrow_mut();
            if spare.len() < SPARE_BUFFERS_MAX {
                spare.push(bytes);
            }
        });
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_one_returned_is_the_first_one_taken() {
        let mut first = Buffer::take();
        first[0] = 7;
        let second = Buffer::take();
        drop(second);
        drop(first);
        assert_eq!(Buffer::take()[0], 7);
    }
}
