//! tokio's reactor as a driver, for systems without epoll.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// The time, read afresh.
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Runs `main` to its end, with the tasks that it spawns. `on_tick` is called every `tick`.
///
/// # Errors
/// When the event loop cannot be made.
pub(crate) fn run(
    main: impl Future<Output = ()> + 'static,
    tick: Duration,
    mut on_tick: impl FnMut(),
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(tokio::runtime::LocalOptions::default())?;
    runtime.block_on(async move {
        let mut main = std::pin::pin!(main);
        let mut ticks = tokio::time::interval(tick);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = &mut main => return,
                _ = ticks.tick() => on_tick(),
            }
        }
    });
    Ok(())
}

/// A task that [`spawn`] started.
#[derive(Debug)]
pub(crate) struct Task(JoinHandle<()>);

/// Starts a task on this thread.
pub(crate) fn spawn(future: impl Future<Output = ()> + 'static) -> Task {
    Task(tokio::task::spawn_local(future))
}

impl Task {
    /// Drops the task's future.
    pub(crate) fn abort(self) {
        self.0.abort();
    }
}

/// Who is to be woken.
#[derive(Debug)]
pub(crate) struct Waiter(Waker);

impl Waiter {
    /// The task that is polled now.
    pub(crate) fn current(context: &Context<'_>) -> Option<Self> {
        Some(Self(context.waker().clone()))
    }

    pub(crate) fn wake(self) {
        self.0.wake();
    }
}

/// A connected socket. Receiving and sending take `&self`, so that one task can do both at once.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: RefCell<TcpStream>,
    /// Bytes that the system has taken.
    taken: Cell<u64>,
}

impl Socket {
    fn new(stream: TcpStream) -> Self {
        Self {
            stream: RefCell::new(stream),
            taken: Cell::default(),
        }
    }

    /// Receives what is there, with one system call; 0 is the end.
    pub(crate) fn poll_receive(
        &self,
        context: &mut Context<'_>,
        room: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut room = ReadBuf::new(room);
        // By way of AsyncRead, not try_read: it knows that a receive that did not fill the room
        // emptied the socket, and spares the call that would only say so.
        let received = Pin::new(&mut *self.stream.borrow_mut()).poll_read(context, &mut room);
        received.map_ok(|()| room.filled().len())
    }

    /// Sends as much of `pieces` as the socket takes, with one system call.
    pub(crate) fn poll_send(
        &self,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut stream = self.stream.borrow_mut();
        let sent = match pieces {
            [only] => Pin::new(&mut *stream).poll_write(context, only),
            _ => Pin::new(&mut *stream).poll_write_vectored(context, pieces),
        };
        if let Poll::Ready(Ok(count)) = sent {
            self.taken.set(self.taken.get() + count as u64);
        }
        sent
    }

    /// How many bytes the system has taken so far.
    pub(crate) fn taken(&self) -> u64 {
        self.taken.get()
    }

    /// Nothing is ever put off here.
    pub(crate) fn poll_flush(&self, _context: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }

    /// Whether an idle connection is still open and silent. Costs a system call.
    pub(crate) fn is_quiet(&self) -> bool {
        let stream = self.stream.borrow();
        let mut room = [MaybeUninit::uninit(); 1];
        matches!(SockRef::from(&*stream).peek(&mut room),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Tells the peer that nothing more comes; it can still be received from.
    pub(crate) fn finish_sending(&self) {
        // An error means that the connection is gone, which is as good.
        let _ = SockRef::from(&*self.stream.borrow()).shutdown(std::net::Shutdown::Write);
    }

    /// Makes the coming close a reset: the peer learns that what it received is not all.
    pub(crate) fn reset_on_close(&self) {
        let _ = SockRef::from(&*self.stream.borrow()).set_linger(Some(Duration::ZERO));
    }

    /// This side's port; 0 when the connection is gone.
    pub(crate) fn local_port(&self) -> u16 {
        self.stream
            .borrow()
            .local_addr()
            .map_or(0, |address| address.port())
    }
}

/// A listening socket of one thread.
#[derive(Debug)]
pub(crate) struct Acceptor(TcpListener);

impl Acceptor {
    pub(crate) fn new(listener: std::net::TcpListener) -> io::Result<Self> {
        Ok(Self(TcpListener::from_std(listener)?))
    }

    pub(crate) async fn accept(&self) -> io::Result<(Socket, SocketAddr)> {
        let (stream, peer) = self.0.accept().await?;
        Ok((Socket::new(stream), peer))
    }
}

/// Connects; the caller bounds the time.
pub(crate) async fn connect(address: SocketAddr) -> io::Result<Socket> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(Socket::new(stream))
}
