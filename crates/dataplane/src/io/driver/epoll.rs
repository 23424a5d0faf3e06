//! An epoll loop: every socket is registered once, edge-triggered, and never again.
//!
//! A socket remembers whether it can be received from or sent to. A call that comes back short
//! says that it cannot any more; an event says that it can again. So a request costs its two
//! receives and two sends, and a wait for each batch.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::event::{EventfdFlags, Timespec, eventfd};
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags, SocketFlags};
use socket2::{Domain, Protocol, SockRef, Type};

use super::tasks::{TaskId, Tasks};

/// Events that one wait takes.
const EVENTS_MAX: usize = 256;
/// Connections that are accepted before others get their turn.
const ACCEPTS_MAX: usize = 64;
/// Stands for the bell among the sources.
const BELL: u64 = u64::MAX;

thread_local! {
    static DRIVER: RefCell<Option<Rc<Driver>>> = const { RefCell::new(None) };
}

struct Driver {
    epoll: OwnedFd,
    tasks: Tasks,
    sources: RefCell<Vec<Source>>,
    free: RefCell<Vec<usize>>,
    now: Cell<Instant>,
    outbox: Outbox,
}

/// Short sends that wait for the end of their batch. Sent one by one they would each wake a peer,
/// who then competes with the rest of the batch for the processor and the caches.
#[derive(Default)]
struct Outbox {
    /// Whether the batch has more than one event: for a single one, waiting has no point.
    is_open: Cell<bool>,
    /// Those to backends leave first: their answers take the longest.
    to_backends: RefCell<Vec<Rc<Connection>>>,
    to_clients: RefCell<Vec<Rc<Connection>>>,
    /// Emptied buffers, for the next ones.
    spare: RefCell<Vec<Vec<u8>>>,
}

/// A registered socket.
#[derive(Debug, Default)]
struct Source {
    readable: bool,
    writable: bool,
    /// The peer is done, or the connection broken: what can be read can be read to the end.
    ended: bool,
    reader: Option<TaskId>,
    writer: Option<TaskId>,
    /// The connection, while the socket was too full for all that had been put off.
    blocked: Option<Rc<Connection>>,
}

impl Driver {
    fn new() -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let bell = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?;
        epoll::add(
            &epoll,
            &bell,
            EventData::new_u64(BELL),
            EventFlags::IN | EventFlags::ET,
        )?;
        Ok(Self {
            epoll,
            tasks: Tasks::new(bell),
            sources: RefCell::default(),
            free: RefCell::default(),
            now: Cell::new(Instant::now()),
            outbox: Outbox::default(),
        })
    }

    fn wait(&self, events: &mut Vec<epoll::Event>, timeout: Duration) -> io::Result<()> {
        events.clear();
        let timeout = Timespec {
            tv_sec: timeout.as_secs() as i64,
            tv_nsec: i64::from(timeout.subsec_nanos()),
        };
        match epoll::wait(&self.epoll, spare_capacity(events), Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn handle(&self, event: &epoll::Event) {
        let number = event.data.u64();
        if number == BELL {
            let _ = rustix::io::read(self.tasks.bell(), &mut [0; 8]);
            return;
        }
        let mut sources = self.sources.borrow_mut();
        let Some(source) = sources.get_mut(number as usize) else {
            return;
        };
        let flags = event.flags;
        let broken = flags.intersects(EventFlags::HUP | EventFlags::ERR);
        source.ended |= broken || flags.contains(EventFlags::RDHUP);
        let mut reader = None;
        if source.ended || flags.contains(EventFlags::IN) {
            source.readable = true;
            reader = source.reader.take();
        }
        let (mut writer, mut blocked) = (None, None);
        if broken || flags.contains(EventFlags::OUT) {
            source.writable = true;
            writer = source.writer.take();
            blocked = source.blocked.take();
        }
        drop(sources);
        if let Some(connection) = blocked {
            connection.send_put_off(self);
        }
        for task in [reader, writer].into_iter().flatten() {
            self.tasks.wake(task);
        }
    }
}

impl Driver {
    /// The end of a batch: what was put off leaves.
    fn send_put_off(&self) {
        self.outbox.is_open.set(false);
        for list in [&self.outbox.to_backends, &self.outbox.to_clients] {
            let mut connections = list.take();
            for connection in connections.drain(..) {
                connection.send_put_off(self);
            }
            // Its room is kept.
            list.replace(connections);
        }
    }
}

fn driver() -> Rc<Driver> {
    DRIVER.with_borrow(|driver| driver.clone().expect("sockets live on a worker's thread"))
}

fn with_driver<T>(work: impl FnOnce(&Driver) -> T) -> T {
    DRIVER.with_borrow(|driver| {
        work(
            driver
                .as_ref()
                .expect("sockets and tasks live on a worker's thread"),
        )
    })
}

/// The time of the current batch of events: one clock read serves all of it.
pub(crate) fn now() -> Instant {
    with_driver(|driver| driver.now.get())
}

/// Runs `main` to its end, with the tasks that it spawns. `on_tick` is called every `tick`.
///
/// # Errors
/// When the event loop cannot be made, or its wait fails.
pub(crate) fn run(
    main: impl Future<Output = ()> + 'static,
    tick: Duration,
    mut on_tick: impl FnMut(),
) -> io::Result<()> {
    let driver = Rc::new(Driver::new()?);
    DRIVER.set(Some(Rc::clone(&driver)));
    let is_done = Rc::new(Cell::new(false));
    let done = Rc::clone(&is_done);
    driver.tasks.spawn(Box::pin(async move {
        main.await;
        done.set(true);
    }));
    let mut events = Vec::with_capacity(EVENTS_MAX);
    let mut next_tick = driver.now.get() + tick;
    while !is_done.get() {
        let left = match driver.tasks.has_ready() {
            true => Duration::ZERO,
            false => next_tick.saturating_duration_since(driver.now.get()),
        };
        driver.wait(&mut events, left)?;
        let now = Instant::now();
        driver.now.set(now);
        events.iter().for_each(|event| driver.handle(event));
        driver.outbox.is_open.set(events.len() > 1);
        driver.tasks.run_ready();
        driver.send_put_off();
        if now >= next_tick {
            next_tick = now + tick;
            on_tick();
        }
    }
    // While there still is a driver: what tasks own may look for it.
    driver.tasks.clear_all();
    DRIVER.set(None);
    Ok(())
}

/// A task that [`spawn`] started.
#[derive(Debug)]
pub(crate) struct Task(TaskId);

/// Starts a task on this thread.
pub(crate) fn spawn(future: impl Future<Output = ()> + 'static) -> Task {
    Task(driver().tasks.spawn(Box::pin(future)))
}

impl Task {
    /// Drops the task's future. A task does not abort itself.
    pub(crate) fn abort(self) {
        driver().tasks.abort(self.0);
    }
}

/// Who is to be woken.
#[derive(Debug)]
pub(crate) struct Waiter(TaskId);

impl Waiter {
    /// The task that is polled now.
    pub(crate) fn current(_context: &Context<'_>) -> Option<Self> {
        DRIVER
            .with_borrow(|driver| driver.as_ref()?.tasks.current())
            .map(Self)
    }

    pub(crate) fn wake(self) {
        with_driver(|driver| driver.tasks.wake(self.0));
    }
}

/// A place in the driver's table, given back when dropped. The kernel forgets the socket by itself
/// when it is closed.
#[derive(Debug)]
struct Registration(usize);

impl Registration {
    fn new(socket: impl AsFd, writable: bool) -> io::Result<Self> {
        with_driver(|driver| {
            let mut sources = driver.sources.borrow_mut();
            let place = driver.free.borrow_mut().pop().unwrap_or_else(|| {
                sources.push(Source::default());
                sources.len() - 1
            });
            // Perhaps something is there already; the first receive will tell.
            sources[place] = Source {
                readable: true,
                writable,
                ..Source::default()
            };
            let flags = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
            let added = epoll::add(
                &driver.epoll,
                socket,
                EventData::new_u64(place as u64),
                flags,
            );
            let registration = Self(place);
            drop(sources);
            added?;
            Ok(registration)
        })
    }

    fn with<T>(&self, work: impl FnOnce(&mut Source, Option<TaskId>) -> T) -> T {
        with_driver(|driver| {
            let mut sources = driver.sources.borrow_mut();
            work(&mut sources[self.0], driver.tasks.current())
        })
    }

    /// Whether a receive may get something; otherwise the current task is woken when it may.
    fn poll_readable(&self) -> bool {
        self.with(|source, task| {
            if !source.readable {
                source.reader = task;
            }
            source.readable
        })
    }

    fn poll_writable(&self) -> bool {
        self.with(|source, task| {
            if !source.writable {
                source.writer = task;
            }
            source.writable
        })
    }

    fn not_readable(&self) {
        self.with(|source, _| source.readable = source.ended);
    }

    fn wait_readable(&self) {
        self.with(|source, task| {
            source.readable = false;
            source.reader = task;
        });
    }

    fn wait_writable(&self) {
        self.with(|source, task| {
            source.writable = false;
            // The end of a batch is no task, and must not push out the one that waits.
            source.writer = task.or(source.writer);
        });
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        // A thread that is ending has no table any more.
        let _ = DRIVER.try_with(|driver| {
            if let Some(driver) = driver.borrow().as_ref() {
                driver.free.borrow_mut().push(self.0);
            }
        });
    }
}

/// A connected socket. Receiving and sending take `&self`, so that one task can do both at once.
#[derive(Debug)]
pub(crate) struct Socket(Rc<Connection>);

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    registration: Registration,
    is_to_backend: bool,
    /// Taken over from the sender, not yet by the system. In order, before anything else.
    put_off: RefCell<Vec<u8>>,
    /// Bytes that the system has taken.
    taken: Cell<u64>,
}

/// Sends up to this length, in bytes, may wait for the end of their batch.
const PUT_OFF_BYTES_MAX: usize = 8 * 1024;
/// Buffers that are kept for reuse.
const SPARE_BUFFERS_MAX: usize = 256;

impl Socket {
    fn new(stream: TcpStream, registration: Registration, is_to_backend: bool) -> Self {
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
            if driver.outbox.is_open.get() && length <= PUT_OFF_BYTES_MAX {
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
        if !registration.with(|source, _| source.readable) {
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
        let place = self.0.registration.0;
        let blocked = DRIVER.try_with(|driver| {
            let driver = driver.borrow();
            let mut sources = driver.as_ref()?.sources.borrow_mut();
            sources.get_mut(place)?.blocked.take()
        });
        drop(blocked);
    }
}

impl Outbox {
    fn put_off(&self, connection: &Rc<Connection>, pieces: &[IoSlice<'_>]) {
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

    fn keep(&self, mut buffer: Vec<u8>) {
        let mut spare = self.spare.borrow_mut();
        if spare.len() < SPARE_BUFFERS_MAX {
            buffer.clear();
            spare.push(buffer);
        }
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
    fn send_put_off(self: Rc<Self>, driver: &Driver) {
        let mut bytes = self.put_off.take();
        let mut sent = 0;
        while sent < bytes.len() {
            match self.send(&[IoSlice::new(&bytes[sent..])]) {
                Poll::Ready(Ok(count)) => sent += count,
                Poll::Ready(Err(_)) => sent = bytes.len(),
                Poll::Pending => {
                    bytes.drain(..sent);
                    self.put_off.replace(bytes);
                    let place = self.registration.0;
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

/// A listening socket of one thread.
#[derive(Debug)]
pub(crate) struct Acceptor {
    listener: TcpListener,
    registration: Registration,
    /// Accepted without a pause.
    in_a_row: Cell<usize>,
}

impl Acceptor {
    pub(crate) fn new(listener: TcpListener) -> io::Result<Self> {
        let registration = Registration::new(&listener, false)?;
        Ok(Self {
            listener,
            registration,
            in_a_row: Cell::new(0),
        })
    }

    pub(crate) async fn accept(&self) -> io::Result<(Socket, SocketAddr)> {
        poll_fn(|context| self.poll_accept(context)).await
    }

    fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<(Socket, SocketAddr)>> {
        if !self.registration.poll_readable() {
            return Poll::Pending;
        }
        if self.in_a_row.replace(self.in_a_row.get() + 1) >= ACCEPTS_MAX {
            self.in_a_row.set(0);
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        match rustix::net::acceptfrom_with(&self.listener, flags) {
            Ok((socket, peer)) => {
                let stream = TcpStream::from(socket);
                let peer = match peer.map(SocketAddr::try_from) {
                    Some(Ok(peer)) => peer,
                    Some(Err(_)) | None => stream.peer_addr()?,
                };
                let registration = Registration::new(&stream, true)?;
                Poll::Ready(Ok((Socket::new(stream, registration, false), peer)))
            }
            Err(rustix::io::Errno::AGAIN) => {
                self.in_a_row.set(0);
                self.registration.wait_readable();
                Poll::Pending
            }
            Err(error) => Poll::Ready(Err(error.into())),
        }
    }
}

/// Connects; the caller bounds the time.
pub(crate) async fn connect(address: SocketAddr) -> io::Result<Socket> {
    let socket = socket2::Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    match socket.connect(&address.into()) {
        Ok(()) => {}
        Err(error) if error.raw_os_error() == Some(IN_PROGRESS) => {}
        Err(error) => return Err(error),
    }
    let registration = Registration::new(&socket, false)?;
    let writable = poll_fn(|_| match registration.poll_writable() {
        true => Poll::Ready(()),
        false => Poll::Pending,
    });
    writable.await;
    match socket.take_error()? {
        Some(error) => Err(error),
        None => Ok(Socket::new(socket.into(), registration, true)),
    }
}

const IN_PROGRESS: i32 = rustix::io::Errno::INPROGRESS.raw_os_error();

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::thread;

    use super::*;

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

    #[test]
    fn ticks_come_while_nothing_happens() {
        let ticks = Rc::new(Cell::new(0));
        let counter = Rc::clone(&ticks);
        let (sender, receiver) = tokio::sync::oneshot::channel::<()>();
        let mut sender = Some(sender);
        let main = async move { drop(receiver.await) };
        let on_tick = move || {
            counter.set(counter.get() + 1);
            if counter.get() == 3 {
                drop(sender.take());
            }
        };
        run(main, TICK, on_tick).unwrap();
        assert_eq!(ticks.get(), 3);
    }
}
