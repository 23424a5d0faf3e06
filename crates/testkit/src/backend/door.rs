//! How a backend is reached: a listener that accepts, a port that refuses, or one that swallows.

use super::answer::After;
use super::conversation::{Caller, Conversation};
use super::log::Shared;
use super::manners::Manners;
use super::proxy;
use super::wire::{Wire, close_in_good_order, reset_on_drop};
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};

/// The queue of a listener that means to accept.
const BACKLOG: i32 = 1024;
/// Connects that fill the queue of one that does not: Linux holds one more than the backlog, 0.
const FILLERS: usize = 4;

/// Each kind holds the port for as long as it lives.
pub(crate) enum Door {
    Open {
        stop: oneshot::Sender<()>,
        task: JoinHandle<()>,
    },
    Refusing {
        _bound: Socket,
    },
    Swallowing {
        _full: Socket,
        _fillers: Vec<Socket>,
    },
    Gone,
}

impl Door {
    /// The door that these manners ask for, on a socket that [`bind`] made.
    pub(crate) fn for_manners(
        manners: &Manners,
        socket: Socket,
        shared: &Arc<Shared>,
    ) -> io::Result<Self> {
        match manners {
            // A port that is bound but not listened on is refused, and nobody else can take it.
            Manners::Refused => Ok(Self::Refusing { _bound: socket }),
            Manners::SynBlackHole => Self::swallowing(socket),
            _ => Self::open(socket, shared),
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        matches!(self, Self::Open { .. })
    }

    /// Ends the listener and all connections; none is left when this returns.
    pub(crate) async fn close(self) {
        if let Self::Open { stop, task } = self {
            let _ = stop.send(());
            let _ = task.await;
        }
    }

    /// As [`Door::close`], without waiting for it.
    pub(crate) fn abort(&self) {
        if let Self::Open { task, .. } = self {
            task.abort();
        }
    }

    fn open(socket: Socket, shared: &Arc<Shared>) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        socket.listen(BACKLOG)?;
        let listener = TcpListener::from_std(socket.into())?;
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(accept_all(listener, Arc::clone(shared), stopped));
        Ok(Self::Open { stop, task })
    }

    fn swallowing(socket: Socket) -> io::Result<Self> {
        socket.listen(0)?;
        let address = socket.local_addr()?;
        let mut fillers = Vec::with_capacity(FILLERS);
        for _ in 0..FILLERS {
            let filler = tcp_socket()?;
            filler.set_nonblocking(true)?;
            // In progress, or in the queue: over loopback the kernel has decided by now.
            let _ = filler.connect(&address);
            fillers.push(filler);
        }
        Ok(Self::Swallowing {
            _full: socket,
            _fillers: fillers,
        })
    }
}

/// A socket bound to a port of 127.0.0.1, 0 for a free one. If `is_shared`, a second one can be
/// bound to the same port while the first lives, so that a door changes without letting it go.
///
/// Address reuse is for ports of the caller's choosing only, which may have connections of an
/// earlier process: with it, another process could listen on a port that refuses.
pub(crate) fn bind(port: u16, is_shared: bool) -> io::Result<Socket> {
    let socket = tcp_socket()?;
    socket.set_reuse_address(!is_shared)?;
    socket.set_reuse_port(is_shared)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
    Ok(socket)
}

fn tcp_socket() -> io::Result<Socket> {
    Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))
}

async fn accept_all(
    listener: TcpListener,
    shared: Arc<Shared>,
    mut stopped: oneshot::Receiver<()>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = &mut stopped => break,
            accepted = listener.accept() => {
                // Errors here are of the one connection, or of a lack of descriptors: go on, but
                // let others run first.
                match accepted {
                    Ok((stream, peer)) => {
                        connections.spawn(serve(stream, peer, Arc::clone(&shared)));
                    }
                    Err(_) => tokio::task::yield_now().await,
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    connections.shutdown().await;
}

async fn serve(mut stream: TcpStream, peer: SocketAddr, shared: Arc<Shared>) {
    let connection = shared.accepted.fetch_add(1, Ordering::Relaxed) + 1;
    let _counted = shared.count_open();
    shared.note_arrival(connection, peer);
    let _ = stream.set_nodelay(true);
    let manners = shared.general_manners();
    match &*manners {
        // Whether the other side has left cannot be known without reading.
        Manners::NeverReads => return std::future::pending().await,
        Manners::CloseOnAccept => return,
        Manners::ResetOnAccept => {
            let _ = reset_on_drop(&stream);
            return;
        }
        _ => {}
    }
    if shared.requires_proxy_line && !proxy::admit(&mut stream, connection, &shared).await {
        close_in_good_order(&mut stream).await;
        return;
    }
    let mut caller = Caller {
        connection,
        peer,
        server_name: None,
    };
    let mut wire: Box<dyn Wire> = match shared.terminator() {
        None => Box::new(stream),
        Some(terminator) => {
            let (handshake, stream) = terminator.accept(stream, connection).await;
            caller.server_name = handshake.server_name.clone();
            shared.note_handshake(handshake);
            match stream {
                Some(stream) => stream,
                None => return,
            }
        }
    };
    if let Manners::SpeakFirst(bytes) = &*manners {
        let _ = wire.write_all(bytes).await;
        let _ = wire.flush().await;
    }
    match Conversation::new(&shared, caller, &mut *wire).run().await {
        After::Next | After::Drop => {}
        After::Close => close_in_good_order(&mut *wire).await,
        After::Reset => {
            let _ = reset_on_drop(wire.tcp());
        }
    }
}
