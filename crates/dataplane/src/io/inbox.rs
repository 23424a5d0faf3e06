//! What has been received on a connection and not used yet.

use std::io;
use std::task::{Context, Poll, ready};

use super::buffer::{BUFFER_BYTES, Buffer};

/// Received bytes in order. While there are none it owns no memory; while a connection waits with
/// a few, they lie in an allocation of their own size.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    buffer: Option<Buffer>,
    start: usize,
    end: usize,
    /// The bytes while no buffer is held.
    stash: Vec<u8>,
}

impl Inbox {
    pub(crate) fn bytes(&self) -> &[u8] {
        match &self.buffer {
            Some(buffer) => &buffer[self.start..self.end],
            None => &self.stash,
        }
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        match &mut self.buffer {
            Some(buffer) => &mut buffer[self.start..self.end],
            None => &mut self.stash,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes().is_empty()
    }

    /// Forgets the first `count` bytes; at most as many as there are.
    pub(crate) fn consume(&mut self, count: usize) {
        if self.buffer.is_some() {
            self.start = (self.start + count).min(self.end);
            if self.start == self.end {
                self.clear();
            }
        } else {
            self.stash.drain(..count.min(self.stash.len()));
        }
    }

    pub(crate) fn clear(&mut self) {
        self.buffer = None;
        (self.start, self.end) = (0, 0);
        self.stash = Vec::new();
    }

    /// Appends what `receive` reads; how much that was. 0 is the end of the stream, or a full
    /// buffer: the caller bounds what it lets gather here.
    pub(crate) fn poll_fill(
        &mut self,
        context: &mut Context<'_>,
        receive: impl FnOnce(&mut Context<'_>, &mut [u8]) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        let held = self.bytes().len();
        let mut buffer = self.buffer.take().unwrap_or_else(|| {
            (self.start, self.end) = (0, held);
            Buffer::take()
        });
        if self.end == BUFFER_BYTES && self.start > 0 {
            buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, held);
        }
        let received = receive(context, &mut buffer[self.end..]);
        let stashed = self.stash.len();
        if received.is_pending() {
            if stashed == 0 {
                self.stash.extend_from_slice(&buffer[self.start..self.end]);
            }
            return Poll::Pending;
        }
        buffer[..stashed].copy_from_slice(&self.stash);
        self.stash = Vec::new();
        let received = ready!(received);
        self.end += received.as_ref().copied().unwrap_or(0);
        if self.start < self.end {
            // Also after an error: what came before it may be the answer.
            self.buffer = Some(buffer);
        } else {
            self.clear();
        }
        Poll::Ready(received)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    fn fill(inbox: &mut Inbox, arrival: Option<&[u8]>) -> Poll<io::Result<usize>> {
        let mut context = Context::from_waker(Waker::noop());
        inbox.poll_fill(&mut context, |_, room| match arrival {
            None => Poll::Pending,
            Some(bytes) => {
                room[..bytes.len()].copy_from_slice(bytes);
                Poll::Ready(Ok(bytes.len()))
            }
        })
    }

    #[test]
    fn bytes_survive_waiting_and_consuming() {
        let mut inbox = Inbox::default();
        assert!(fill(&mut inbox, None).is_pending());
        assert!(fill(&mut inbox, Some(b"abc")).is_ready());
        inbox.consume(1);
        assert!(fill(&mut inbox, None).is_pending());
        assert!(inbox.buffer.is_none(), "waiting holds no large buffer");
        assert_eq!(inbox.bytes(), b"bc");
        assert!(fill(&mut inbox, Some(b"de")).is_ready());
        assert_eq!(inbox.bytes(), b"bcde");
        assert!(fill(&mut inbox, None).is_pending());
        inbox.consume(3);
        assert_eq!(inbox.bytes(), b"e");
        inbox.consume(9);
        assert!(inbox.is_empty());
        assert!(fill(&mut inbox, Some(b"f")).is_ready());
        assert_eq!(inbox.bytes(), b"f");
    }

    #[test]
    fn an_error_loses_nothing_that_came_before() {
        let mut inbox = Inbox::default();
        assert!(fill(&mut inbox, Some(b"abc")).is_ready());
        let mut context = Context::from_waker(Waker::noop());
        let reset = |_: &mut Context<'_>, _: &mut [u8]| {
            Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
        };
        assert!(inbox.poll_fill(&mut context, reset).is_ready());
        assert_eq!(inbox.bytes(), b"abc");
        assert!(fill(&mut inbox, None).is_pending());
        assert!(inbox.poll_fill(&mut context, reset).is_ready());
        assert_eq!(inbox.bytes(), b"abc");
    }

    #[test]
    fn an_emptied_inbox_gives_its_buffer_back() {
        let mut inbox = Inbox::default();
        assert!(fill(&mut inbox, Some(b"abc")).is_ready());
        inbox.consume(3);
        assert!(inbox.buffer.is_none());
        assert!(fill(&mut inbox, Some(b"")).is_ready());
        assert!(inbox.buffer.is_none());
    }
}
