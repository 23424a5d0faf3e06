//! Connected sockets.

use std::cell::{Cell, RefCell};
use std::io::{self, IoSlice};
use std::net::TcpStream;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags};
use socket2::SockRef;

use super::source::Registration;
use super::{DRIVER, Driver, with_driver};

/// A connected socket. Receiving and sending take `&self`, so that one task can do both at once.
#[derive(Debug)]
pub(crate) struct Socket(Rc<Connection>);

#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    registration: Registration,
    pub(super) is_to_backend: bool,
    /// Taken over from the sender, not yet by the system. In order, before anything else.
    pub(super) put_off: RefCell<Vec<u8>>,
    /// Bytes that the system has taken.
    taken: Cell<u64>,
}

impl Socket {
    pub(super) fn new(stream: TcpStream, registration: Registration, is_to_backend: bool) -> Self {
        let put_off = RefCell::default();
        Self(Rc::new(Connection {
            stream,
            registration,
            is_to_backend,
            put_off,
            taken: Cell::default(),
        }))
    }

    /// Receives what is there, with one system call; 0 is the end.
    pub(crate) fn poll_receive(
        &self,
        _context: &mut Context<'_>,
        room: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let Connection {
            stream,
            registration,
            ..
        } = &*self.0;
        if !registration.poll_readable() || !with_driver(|driver| driver.tasks.may_receive()) {
            return Poll::Pending;
        }
        loop {
            let length = room.len();
            match rustix::net::recv(stream, &mut *room, RecvFlags::empty()) {
                Ok((count, _)) => {
                    if count < length {
                        // That was all: what comes later comes with an event.
                        registration.not_readable();
                    }
                    return Poll::Ready(Ok(count));
                }
                Err(rustix::io::Errno::AGAIN) => {
                    registration.wait_readable();
                    return Poll::Pending;
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Poll::Ready(Err(error.into())),
            }
        }
    }

    /// Sends as much of `pieces` as the socket takes, with one system call. Within a batch, a
    /// short send is taken over whole and leaves at the batch's end; if that fails, the next
    /// receive tells.
    pub(crate) fn poll_send(
        &self,
        _context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if !self.0.registration.poll_writable() {
            return Poll::Pending;
        }
        with_driver(|driver| {
            if !self.0.put_off.borrow().is_empty() {
                // Order matters more than the batch.
                Rc::clone(&self.0).send_put_off(driver);
                if !self.0.put_off.borrow().is_empty() {
                    return Poll::Pending;
                }
            }
            let length: usize = pieces.iter().map(|piece| piece.len()).sum();
            if driver.outbox.takes(length) {
                driver.outbox.put_off(&self.0, pieces);
                return Poll::Ready(Ok(length));
            }
            self.0.send(pieces)
        })
    }

    /// Sees out what was put off.
    pub(crate) fn poll_flush(&self, _context: &mut Context<'_>) -> Poll<()> {
        with_driver(|driver| Rc::clone(&self.0).send_put_off(driver));
        match self.0.put_off.borrow().is_empty() {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }

    /// How many bytes the system has taken so far.
    pub(crate) fn taken(&self) -> u64 {
        self.0.taken.get()
    }

    /// Whether an idle connection is still open and silent. Costs a system call only when
    /// something has happened to it.
    pub(crate) fn is_quiet(&self) -> bool {
        let Connection {
            stream,
            registration,
            ..
        } = &*self.0;
        if !registration.is_readable() {
            return true;
        }
        let received = rustix::net::recv(stream, &mut [0_u8; 1], RecvFlags::PEEK);
        let is_quiet = matches!(received, Err(rustix::io::Errno::AGAIN));
        if is_quiet {
            registration.not_readable();
        }
        is_quiet
    }

    /// Tells the peer that nothing more comes; it can still be received from.
    pub(crate) fn finish_sending(&self) {
        with_driver(|driver| Rc::clone(&self.0).send_put_off(driver));
        // An error means that the connection is gone, which is as good.
        let _ = self.0.stream.shutdown(std::net::Shutdown::Write);
    }

    /// Makes the coming close a reset: the peer learns that what it received is not all.
    pub(crate) fn reset_on_close(&self) {
        with_driver(|driver| Rc::clone(&self.0).send_put_off(driver));
        let _ = SockRef::from(&self.0.stream).set_linger(Some(Duration::ZERO));
    }

    /// This side's port; 0 when the connection is gone.
    pub(crate) fn local_port(&self) -> u16 {
        self.0
            .stream
            .local_addr()
            .map_or(0, |address| address.port())
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // What is blocked now is given up; what is in the outbox still leaves.
        let place = self.0.registration.place();
        let blocked = DRIVER.try_with(|driver| {
            let driver = driver.borrow();
            let mut sources = driver.as_ref()?.sources.borrow_mut();
            sources.get_mut(place)?.blocked.take()
        });
        drop(blocked);
    }
}

impl Connection {
    fn send(&self, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        loop {
            let sent = match pieces {
                [only] => rustix::net::send(&self.stream, only, SendFlags::NOSIGNAL),
                _ => {
                    let mut control = SendAncillaryBuffer::default();
                    let flags = SendFlags::NOSIGNAL;
                    rustix::net::sendmsg(&self.stream, pieces, &mut control, flags)
                }
            };
            match sent {
                Ok(count) => {
                    self.taken.set(self.taken.get() + count as u64);
                    return Poll::Ready(Ok(count));
                }
                Err(rustix::io::Errno::AGAIN) => {
                    self.registration.wait_writable();
                    return Poll::Pending;
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Poll::Ready(Err(error.into())),
            }
        }
    }

    /// Sends what was put off; what the socket has no room for leaves when it has.
    pub(super) fn send_put_off(self: Rc<Self>, driver: &Driver) {
        let mut bytes = self.put_off.take();
        let mut sent = 0;
        while sent < bytes.len() {
            match self.send(&[IoSlice::new(&bytes[sent..])]) {
                Poll::Ready(Ok(count)) => sent += count,
                Poll::Ready(Err(_)) => sent = bytes.len(),
                Poll::Pending => {
                    bytes.drain(..sent);
                    self.put_off.replace(bytes);
                    let place = self.registration.place();
                    // Without its socket, nobody bounds how long it may take.
                    if Rc::strong_count(&self) > 1 {
                        driver.sources.borrow_mut()[place].blocked = Some(self);
                    }
                    return;
                }
            }
        }
        if bytes.capacity() > 0 {
            driver.outbox.keep(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;

    use super::*;
    use crate::io::driver::{run, spawn};

    const TICK: Duration = Duration::from_millis(10);

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (near, listener.accept().unwrap().0)
    }

    fn socket(stream: TcpStream) -> Socket {
        stream.set_nonblocking(true).unwrap();
        let registration = Registration::new(&stream, true).unwrap();
        Socket::new(stream, registration, false)
    }

    async fn send(socket: &Socket, bytes: &[u8]) {
        let mut left = bytes;
        while !left.is_empty() {
            let pieces = [IoSlice::new(left)];
            let sent = poll_fn(|context| socket.poll_send(context, &pieces)).await;
            left = &left[sent.unwrap()..];
        }
    }

    /// A peer that reads late fills the socket, within batches that put short sends off.
    #[test]
    fn what_is_put_off_before_a_full_socket_arrives_whole() {
        const PIECES: usize = 20_000;
        let (near, mut far) = pair();
        let reader = thread::spawn(move || {
            thread::sleep(Duration::from_millis(100));
            let mut all = Vec::new();
            far.read_to_end(&mut all).unwrap();
            all
        });
        let main = async move {
            let slow = socket(near);
            for number in 0..PIECES {
                with_driver(|driver| driver.outbox.is_open.set(true));
                send(&slow, format!("{number:0>1000}").as_bytes()).await;
            }
            poll_fn(|context| slow.poll_flush(context)).await;
            slow.finish_sending();
        };
        run(main, TICK, || {}).unwrap();
        let all = reader.join().unwrap();
        assert_eq!(all.len(), PIECES * 1000);
        for (number, piece) in all.chunks(1000).enumerate() {
            assert_eq!(piece, format!("{number:0>1000}").as_bytes());
        }
    }

    /// Its receives never wait, and yet others get their turn.
    #[test]
    fn a_task_that_can_always_get_on_does_not_keep_the_thread() {
        let main = async {
            let busy = spawn(async {
                let (one, other) = pair();
                let (one, other) = (socket(one), socket(other));
                loop {
                    send(&one, b"x").await;
                    poll_fn(|context| one.poll_flush(context)).await;
                    poll_fn(|context| other.poll_receive(context, &mut [0]))
                        .await
                        .unwrap();
                }
            });
            let (near, mut far) = pair();
            far.write_all(b"y").unwrap();
            let quiet = socket(near);
            poll_fn(|context| quiet.poll_receive(context, &mut [0]))
                .await
                .unwrap();
            far.write_all(b"y").unwrap();
            poll_fn(|context| quiet.poll_receive(context, &mut [0; 9]))
                .await
                .unwrap();
            busy.abort();
        };
        run(main, TICK, || {}).unwrap();
    }

    #[test]
    fn an_end_that_comes_with_the_last_bytes_is_seen() {
        let (near, mut far) = pair();
        far.write_all(b"last").unwrap();
        drop(far);
        let main = async move {
            let socket = socket(near);
            let mut room = [0; 64];
            let count = poll_fn(|context| socket.poll_receive(context, &mut room)).await;
            assert_eq!(count.unwrap(), 4);
            let count = poll_fn(|context| socket.poll_receive(context, &mut room)).await;
            assert_eq!(count.unwrap(), 0);
        };
        run(main, TICK, || {}).unwrap();
    }
}
