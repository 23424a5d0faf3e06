//! A connection's bytes, encrypted or not.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::{Inbox, Socket, Timer};
use crate::tls::TlsStream;

#[derive(Debug)]
pub(crate) enum Stream {
    Plain(Socket),
    Tls(Box<TlsStream>),
}

/// Why bytes did not get through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StreamError {
    TimedOut,
    /// Reset, or refused by TLS.
    Broken,
}

impl Stream {
    pub(crate) fn poll_receive(
        &self,
        context: &mut Context<'_>,
        room: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(socket) => socket.poll_receive(context, room),
            Self::Tls(session) => session.poll_receive(context, room),
        }
    }

    /// Receives into `inbox`; 0 is the end.
    pub(crate) fn poll_fill(
        &self,
        context: &mut Context<'_>,
        inbox: &mut Inbox,
    ) -> Poll<io::Result<usize>> {
        inbox.poll_fill(context, |context, room| self.poll_receive(context, room))
    }

    /// Receives into `inbox` before the timer's deadline; 0 is the end.
    pub(crate) async fn fill(
        &self,
        inbox: &mut Inbox,
        timer: &Timer,
    ) -> Result<usize, StreamError> {
        poll_fn(|context| match self.poll_fill(context, inbox) {
            Poll::Ready(received) => Poll::Ready(received.map_err(|_| StreamError::Broken)),
            Poll::Pending => timer.poll(context).map(|()| Err(StreamError::TimedOut)),
        })
        .await
    }

    /// Sends all of `pieces`, counting in `sent` what the system took. Each time that the peer
    /// takes nothing, it has `patience` to take something.
    pub(crate) async fn send_all(
        &self,
        pieces: &mut [IoSlice<'_>],
        sent: &mut usize,
        timer: &Timer,
        patience: Duration,
    ) -> Result<(), StreamError> {
        let mut left = pieces;
        let mut waiting = false;
        poll_fn(|context| {
            match self.poll_send_all(context, &mut left, sent, &mut waiting) {
                Poll::Ready(sent) => return Poll::Ready(sent.map_err(|_| StreamError::Broken)),
                Poll::Pending => {}
            }
            if !std::mem::replace(&mut waiting, true) {
                timer.start(patience);
            }
            timer.poll(context).map(|()| Err(StreamError::TimedOut))
        })
        .await
    }

    /// `waiting` is cleared by progress, so that the caller can restart its timer.
    fn poll_send_all(
        &self,
        context: &mut Context<'_>,
        left: &mut &mut [IoSlice<'_>],
        sent: &mut usize,
        waiting: &mut bool,
    ) -> Poll<io::Result<()>> {
        while !left.is_empty() {
            let taken = match self {
                Self::Plain(socket) => ready!(socket.poll_send(context, left))?,
                Self::Tls(session) => ready!(session.poll_send(context, left))?,
            };
            if taken == 0 && left.iter().any(|piece| !piece.is_empty()) {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            *waiting = false;
            *sent += taken;
            IoSlice::advance_slices(left, taken);
        }
        match self {
            Self::Plain(_) => Poll::Ready(Ok(())),
            Self::Tls(session) => session.poll_flush(context),
        }
    }

    /// Waits until the system has everything that was sent, before the timer's deadline.
    pub(crate) async fn flush(&self, timer: &Timer) -> Result<(), StreamError> {
        poll_fn(|context| match self.socket().poll_flush(context) {
            Poll::Ready(()) => Poll::Ready(Ok(())),
            Poll::Pending => timer.poll(context).map(|()| Err(StreamError::TimedOut)),
        })
        .await
    }

    /// Whether an idle connection is still open and silent.
    pub(crate) fn is_quiet(&self) -> bool {
        match self {
            Self::Plain(socket) => socket.is_quiet(),
            Self::Tls(session) => session.is_quiet(),
        }
    }

    /// Tells the peer that nothing more comes.
    pub(crate) fn finish_sending(&self) {
        match self {
            Self::Plain(socket) => socket.finish_sending(),
            Self::Tls(session) => session.finish_sending(),
        }
    }

    pub(crate) fn socket(&self) -> &Socket {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(session) => session.socket(),
        }
    }
}
