//! Short sends that wait for the end of their batch.

use std::cell::{Cell, RefCell};
use std::io::IoSlice;
use std::rc::Rc;

use super::Driver;
use super::socket::Connection;

/// Sends up to this length, in bytes, may wait for the end of their batch.
const PUT_OFF_BYTES_MAX: usize = 8 * 1024;
/// Buffers that are kept for reuse.
const SPARE_BUFFERS_MAX: usize = 256;

/// Short sends that wait for the end of their batch. Sent one by one they would each wake a peer,
/// who then competes with the rest of the batch for the processor and the caches.
#[derive(Default)]
pub(super) struct Outbox {
    /// Whether the batch has more than one event: for a single one, waiting has no point.
    pub(super) is_open: Cell<bool>,
    /// Those to backends leave first: their answers take the longest.
    to_backends: RefCell<Vec<Rc<Connection>>>,
    to_clients: RefCell<Vec<Rc<Connection>>>,
    /// Emptied buffers, for the next ones.
    spare: RefCell<Vec<Vec<u8>>>,
}

impl Outbox {
    /// Whether a send of `length` bytes is to wait.
    pub(super) fn takes(&self, length: usize) -> bool {
        self.is_open.get() && length <= PUT_OFF_BYTES_MAX
    }

    pub(super) fn put_off(&self, connection: &Rc<Connection>, pieces: &[IoSlice<'_>]) {
        let mut bytes = connection.put_off.borrow_mut();
        if bytes.capacity() == 0 {
            *bytes = self.spare.borrow_mut().pop().unwrap_or_default();
        }
        pieces
            .iter()
            .for_each(|piece| bytes.extend_from_slice(piece));
        let list = if connection.is_to_backend {
            &self.to_backends
        } else {
            &self.to_clients
        };
        list.borrow_mut().push(Rc::clone(connection));
    }

    /// The end of a batch: what was put off leaves.
    pub(super) fn send_put_off(&self, driver: &Driver) {
        self.is_open.set(false);
        for list in [&self.to_backends, &self.to_clients] {
            let mut connections = list.take();
            for connection in connections.drain(..) {
                connection.send_put_off(driver);
            }
            // Its room is kept.
            list.replace(connections);
        }
    }

    /// Takes back an emptied buffer.
    pub(super) fn keep(&self, mut buffer: Vec<u8>) {
        let mut spare = self.spare.borrow_mut();
        if spare.len() < SPARE_BUFFERS_MAX {
            buffer.clear();
            spare.push(buffer);
        }
    }
}
