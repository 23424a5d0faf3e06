//! The static backend: what stands behind every proxy. One thread, one epoll, fixed answers.
//!
//! `GET /1k` and `GET /64k` answer bodies of that size, a POST is read to its end and answered
//! `ok`, and so is `/` (for health probes); anything else is a 404. It keeps connections open
//! until the other side closes, unless the request says `Connection: close`.

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

const BUFFER_BYTES: usize = 128 * 1024;
const EVENTS_PER_WAIT: usize = 256;
const BACKLOG: i32 = 4096;
const HEADERS_AT_MOST: usize = 64;
/// More unread input than this on one connection is no request of this bench.
const INPUT_BYTES_AT_MOST: usize = 1024 * 1024;
const LISTENER: u64 = u64::MAX;
const PAUSE_AFTER_FAILED_ACCEPT: Duration = Duration::from_millis(5);

/// Listens on the loopback interface; port 0 takes any. Sharing a port lets two backends serve
/// one address, each on a core of its own.
pub fn listen(port: u16, shared: bool) -> anyhow::Result<TcpListener> {
    let kind = socket2::Type::STREAM.nonblocking();
    let socket = socket2::Socket::new(socket2::Domain::IPV4, kind, None)?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    // Accepted connections inherit it.
    socket.set_tcp_nodelay(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Serves for ever; returns only when epoll itself fails.
pub fn serve(listener: TcpListener) -> anyhow::Result<()> {
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    epoll.add(&listener, EpollEvent::new(EpollFlags::EPOLLIN, LISTENER))?;
    let mut backend = Backend {
        epoll,
        answers: Answers::new(),
        peers: HashMap::new(),
        next_token: 0,
        buffer: vec![0; BUFFER_BYTES],
    };
    let mut events = [EpollEvent::empty(); EVENTS_PER_WAIT];
    loop {
        let count = match backend.epoll.wait(&mut events, EpollTimeout::NONE) {
            Err(nix::errno::Errno::EINTR) => continue,
            count => count?,
        };
        for event in events.iter().take(count) {
            match event.data() {
                LISTENER => backend.accept(&listener),
                token => backend.on_event(token),
            }
        }
    }
}

struct Backend {
    epoll: Epoll,
    answers: Answers,
    peers: HashMap<u64, Peer>,
    next_token: u64,
    buffer: Vec<u8>,
}

impl Backend {
    fn accept(&mut self, listener: &TcpListener) {
        match listener.accept() {
            Ok((stream, _)) => {
                let token = self.next_token;
                self.next_token += 1;
                let watched = stream.set_nonblocking(true).is_ok()
                    && self
                        .epoll
                        .add(&stream, EpollEvent::new(EpollFlags::EPOLLIN, token))
                        .is_ok();
                if watched {
                    self.peers.insert(token, Peer::new(stream));
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            // Out of file descriptors, most likely: do not spin on it.
            Err(_) => std::thread::sleep(PAUSE_AFTER_FAILED_ACCEPT),
        }
    }

    fn on_event(&mut self, token: u64) {
        let Some(peer) = self.peers.get_mut(&token) else {
            return;
        };
        let was_blocked = peer.is_blocked();
        let stays = peer.turn(&self.answers, &mut self.buffer);
        if stays == Stays::No {
            self.peers.remove(&token);
            return;
        }
        if peer.is_blocked() != was_blocked {
            // While an answer waits to leave, nothing more is read.
            let flags = if peer.is_blocked() {
                EpollFlags::EPOLLOUT
            } else {
                EpollFlags::EPOLLIN
            };
            let mut event = EpollEvent::new(flags, token);
            if self.epoll.modify(&peer.stream, &mut event).is_err() {
                self.peers.remove(&token);
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stays {
    Yes,
    No,
}

/// The whole answers, head and body, made once.
struct Answers {
    all: [Vec<u8>; 4],
}

#[derive(Clone, Copy)]
enum Answer {
    OneKib,
    SixtyFourKib,
    Small,
    NotFound,
}

impl Answers {
    fn new() -> Self {
        let answer = |status: &str, body: &[u8]| {
            let length = body.len();
            let head = format!(
                "HTTP/1.1 {status}\r\nServer: static\r\nContent-Type: application/octet-stream\
                 \r\nCache-Control: no-store\r\nContent-Length: {length}\r\n\r\n"
            );
            [head.as_bytes(), body].concat()
        };
        Self {
            all: [
                answer("200 OK", &[b'1'; 1024]),
                answer("200 OK", &[b'6'; 65_536]),
                answer("200 OK", b"ok"),
                answer("404 Not Found", b"not found"),
            ],
        }
    }

    fn bytes(&self, answer: Answer) -> &[u8] {
        let [one_kib, sixty_four_kib, small, not_found] = &self.all;
        match answer {
            Answer::OneKib => one_kib,
            Answer::SixtyFourKib => sixty_four_kib,
            Answer::Small => small,
            Answer::NotFound => not_found,
        }
    }
}

/// A request whose head has been read.
struct Request {
    answer: Answer,
    body_left: u64,
    closes: bool,
}

struct Peer {
    stream: TcpStream,
    /// Input that is no whole head yet, or that waits until the last answer has left.
    input: Vec<u8>,
    request: Option<Request>,
    /// The answer that the socket would not take whole, and how much of it has left.
    blocked: Option<(Answer, usize)>,
    closing: bool,
}

impl Peer {
    fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            input: Vec::new(),
            request: None,
            blocked: None,
            closing: false,
        }
    }

    fn is_blocked(&self) -> bool {
        self.blocked.is_some()
    }

    /// One event: the rest of an answer, or one read and all that it completes.
    fn turn(&mut self, answers: &Answers, buffer: &mut [u8]) -> Stays {
        if let Some((answer, sent)) = self.blocked.take() {
            if self.send(answer, sent, answers) == Stays::No || self.is_blocked() {
                return self.verdict();
            }
            let waiting = std::mem::take(&mut self.input);
            return self.take(&waiting, answers);
        }
        let count = match self.stream.read(buffer) {
            Ok(0) => return Stays::No,
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Stays::Yes,
            Err(_) => return Stays::No,
        };
        let fresh = buffer.get(..count).unwrap_or_default();
        if self.input.is_empty() {
            return self.take(fresh, answers);
        }
        let mut whole = std::mem::take(&mut self.input);
        whole.extend_from_slice(fresh);
        self.take(&whole, answers)
    }

    fn verdict(&self) -> Stays {
        if self.is_blocked() {
            Stays::Yes
        } else {
            Stays::No
        }
    }

    /// Answers every request that these bytes complete, and keeps the rest.
    fn take(&mut self, mut bytes: &[u8], answers: &Answers) -> Stays {
        while !self.is_blocked() && !self.closing {
            if self.request.is_none() {
                match head(bytes) {
                    Head::Whole(length, request) => {
                        bytes = bytes.get(length..).unwrap_or_default();
                        self.request = Some(request);
                    }
                    Head::Partial => break,
                    Head::Refused => return Stays::No,
                }
            }
            let Some(request) = &mut self.request else {
                break;
            };
            let body = request.body_left.min(bytes.len() as u64);
            request.body_left -= body;
            bytes = bytes.get(body as usize..).unwrap_or_default();
            if request.body_left > 0 {
                break;
            }
            let answer = request.answer;
            self.closing = request.closes;
            self.request = None;
            if self.send(answer, 0, answers) == Stays::No {
                return Stays::No;
            }
        }
        if bytes.len() > INPUT_BYTES_AT_MOST || (self.closing && !self.is_blocked()) {
            return Stays::No;
        }
        self.input.extend_from_slice(bytes);
        Stays::Yes
    }

    fn send(&mut self, answer: Answer, mut sent: usize, answers: &Answers) -> Stays {
        let bytes = answers.bytes(answer);
        while sent < bytes.len() {
            match self.stream.write(bytes.get(sent..).unwrap_or_default()) {
                Ok(count) => sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.blocked = Some((answer, sent));
                    return Stays::Yes;
                }
                Err(_) => return Stays::No,
            }
        }
        Stays::Yes
    }
}

enum Head {
    Whole(usize, Request),
    Partial,
    Refused,
}

fn head(bytes: &[u8]) -> Head {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_AT_MOST];
    let mut request = httparse::Request::new(&mut headers);
    let length = match request.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Head::Partial,
        Err(_) => return Head::Refused,
    };
    let mut body_left = 0;
    let mut closes = request.version == Some(0);
    for header in request.headers.iter() {
        if header.name.eq_ignore_ascii_case("content-length") {
            let value = std::str::from_utf8(header.value).ok();
            let Some(bytes) = value.and_then(|value| value.parse().ok()) else {
                return Head::Refused;
            };
            body_left = bytes;
        } else if header.name.eq_ignore_ascii_case("connection") {
            closes |= header.value.eq_ignore_ascii_case(b"close");
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            // A proxy that re-frames what had a length does more work than was asked for.
            return Head::Refused;
        }
    }
    let answer = match (request.method, request.path) {
        (Some("POST"), _) | (_, Some("/")) => Answer::Small,
        (_, Some("/1k")) => Answer::OneKib,
        (_, Some("/64k")) => Answer::SixtyFourKib,
        _ => Answer::NotFound,
    };
    Head::Whole(
        length,
        Request {
            answer,
            body_left,
            closes,
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends these bytes in two pieces and reads until the backend closes.
    fn exchange(bytes: &[u8], cut: usize) -> String {
        let listener = listen(0, false).expect("a free port");
        let address = listener.local_addr().expect("bound");
        std::thread::spawn(move || serve(listener));
        let mut stream = TcpStream::connect(address).expect("connect");
        stream.set_nodelay(true).expect("an option");
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .expect("an option");
        stream.write_all(&bytes[..cut]).expect("send");
        std::thread::sleep(Duration::from_millis(20));
        stream.write_all(&bytes[cut..]).expect("send");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("the backend closes");
        String::from_utf8(answer).expect("text")
    }

    #[test]
    fn requests_are_answered_in_order_wherever_they_are_cut() {
        let bytes = b"POST /x HTTP/1.1\r\nContent-Length: 5\r\n\r\nhelloGET /no HTTP/1.1\r\n\r\n\
            GET / HTTP/1.1\r\nConnection: close\r\n\r\n";
        for cut in [1, 20, 42, 45, 60, bytes.len() - 1] {
            let answer = exchange(bytes, cut);
            let statuses: Vec<&str> = answer.split("HTTP/1.1 ").skip(1).map(|a| &a[..3]).collect();
            assert_eq!(statuses, ["200", "404", "200"], "cut at {cut}");
        }
    }

    #[test]
    fn a_large_answer_leaves_whole() {
        let answer = exchange(b"GET /64k HTTP/1.1\r\nConnection: close\r\n\r\n", 3);
        assert!(answer.ends_with(&"6".repeat(65_536)));
        assert!(answer.contains("Content-Length: 65536\r\n"));
    }

    #[test]
    fn a_request_without_a_plain_length_is_refused() {
        assert_eq!(
            exchange(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 5),
            ""
        );
    }
}
