//! hyper's reading: its HTTP/1 connections, run on a wire that holds the bytes and then ends.

use std::cell::RefCell;
use std::convert::Infallible;
use std::error::Error;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::header::{CONNECTION, HOST, HeaderMap, HeaderValue};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, Version};

use super::{Asked, Disagreement, End, Framing, Message, Start};

/// More fields than we allow: a message with too many for us must not be too much for hyper, for
/// then both would refuse it and nothing be learnt.
const FIELDS_MAX: usize = 1024;
const BUFFER_BYTES_MAX: usize = 1024 * 1024;
/// A connection in memory that is not through after so many rounds hangs.
const POLLS_MAX: usize = 100_000;

/// A wire with one message on it.
struct Wire {
    bytes: Vec<u8>,
    given: usize,
    /// Nothing comes in before something has gone out.
    answers: bool,
}

impl Read for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if self.answers {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let end = self.bytes.len().min(self.given + buffer.remaining());
        buffer.put_slice(&self.bytes[self.given..end]);
        self.given = end;
        Poll::Ready(Ok(()))
    }
}

impl Write for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.answers = false;
        Poll::Ready(Ok(buffer.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

struct NoBody;

impl Body for NoBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        true
    }
}

/// A request that hyper took, and the authority of its target; `None` when it took none.
pub(super) type RequestReading = Option<(Message, Option<Vec<u8>>)>;

pub(super) fn read_request(bytes: &[u8]) -> Result<RequestReading, Disagreement> {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let service = service_fn(|request: Request<Incoming>| {
        let seen = Rc::clone(&seen);
        async move {
            let reading = take_request(request).await;
            seen.borrow_mut().push(reading);
            let mut response = Response::new(NoBody);
            // One request only: what follows it is left in the buffer.
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(CONNECTION, close);
            Ok::<_, Infallible>(response)
        }
    });
    let wire = Wire {
        bytes: bytes.to_vec(),
        given: 0,
        answers: false,
    };
    let mut connection = hyper::server::conn::http1::Builder::new()
        .half_close(true)
        .max_headers(FIELDS_MAX)
        .max_buf_size(BUFFER_BYTES_MAX)
        .serve_connection(wire, service);
    // An error is a refusal, or comes after the request: what was seen says which.
    let _ = run(&mut connection)?;
    let parts = connection.into_parts();
    let consumed = parts.io.given - parts.read_buf.len();
    let mut seen = seen.take();
    match (seen.pop(), seen.is_empty()) {
        (None, _) => Ok(None),
        (Some((mut message, authority)), true) => {
            message.consumed = consumed;
            Ok(Some((message, authority)))
        }
        (Some(_), false) => Err(Disagreement::new("hyper served a second request")),
    }
}

pub(super) fn read_response(bytes: &[u8], asked: Asked) -> Result<Option<Message>, Disagreement> {
    let wire = Wire {
        bytes: bytes.to_vec(),
        given: 0,
        answers: true,
    };
    let mut builder = hyper::client::conn::http1::Builder::new();
    builder
        .max_headers(FIELDS_MAX)
        .max_buf_size(BUFFER_BYTES_MAX);
    let handshake = run(pin!(builder.handshake::<_, NoBody>(wire)))?;
    let Ok((mut sender, mut connection)) = handshake else {
        return Err(Disagreement::new("hyper does not begin a connection"));
    };
    let mut request = Request::new(NoBody);
    if asked == Asked::Head {
        *request.method_mut() = Method::HEAD;
    }
    let host = HeaderValue::from_static("a");
    request.headers_mut().insert(HOST, host);
    let close = HeaderValue::from_static("close");
    request.headers_mut().insert(CONNECTION, close);
    let mut reading = pin!(async {
        match sender.send_request(request).await {
            Ok(response) => Some(take_response(response).await),
            Err(_) => None,
        }
    });
    let mut is_closed = false;
    let message = run(poll_fn(|context| {
        if !is_closed {
            is_closed = connection.poll_without_shutdown(context).is_ready();
        }
        reading.as_mut().poll(context)
    }))?;
    let parts = connection.into_parts();
    let consumed = parts.io.given - parts.read_buf.len();
    Ok(message.map(|message| Message {
        consumed,
        ..message
    }))
}

/// Polls without a runtime: all that is waited for is in memory.
fn run<F: Future + Unpin>(mut future: F) -> Result<F::Output, Disagreement> {
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..POLLS_MAX {
        if let Poll::Ready(output) = Pin::new(&mut future).poll(&mut context) {
            return Ok(output);
        }
    }
    Err(Disagreement::new("hyper does not come to an end"))
}

async fn take_request(request: Request<Incoming>) -> (Message, Option<Vec<u8>>) {
    let (head, body) = request.into_parts();
    let start = Start::Request {
        method: head.method.as_str().as_bytes().to_vec(),
        path: head.uri.path().as_bytes().to_vec(),
        query: head.uri.query().map(|query| query.as_bytes().to_vec()),
        minor_version: u8::from(head.version == Version::HTTP_11),
    };
    let authority = head.uri.authority();
    let authority = authority.map(|authority| authority.as_str().as_bytes().to_vec());
    (take_message(start, &head.headers, body).await, authority)
}

async fn take_response(response: Response<Incoming>) -> Message {
    let (head, body) = response.into_parts();
    let reason = match head.extensions.get::<hyper::ext::ReasonPhrase>() {
        Some(reason) => reason.as_bytes(),
        None => head
            .status
            .canonical_reason()
            .unwrap_or_default()
            .as_bytes(),
    };
    let start = Start::Response {
        status: head.status.as_u16(),
        reason: reason.to_vec(),
        minor_version: u8::from(head.version == Version::HTTP_11),
    };
    take_message(start, &head.headers, body).await
}

async fn take_message(start: Start, headers: &HeaderMap, mut body: Incoming) -> Message {
    let mut fields: Vec<_> = headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()))
        .collect();
    fields.sort_by(|one, other| one.0.cmp(&other.0));
    let framing = match body.size_hint().exact() {
        Some(0) => Framing::Empty,
        Some(length) => Framing::Exact(length),
        None => Framing::Open,
    };
    let mut payload = Vec::new();
    let end = loop {
        match poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
            None => break End::Complete,
            Some(Ok(frame)) => payload.extend_from_slice(frame.data_ref().unwrap_or(&Bytes::new())),
            Some(Err(error)) if is_early_end(&error) => break End::Incomplete,
            Some(Err(_)) => break End::Broken,
        }
    };
    Message {
        start,
        fields,
        framing,
        end,
        payload,
        consumed: 0,
    }
}

fn is_early_end(error: &hyper::Error) -> bool {
    error.is_incomplete_message()
        || error
            .source()
            .and_then(|source| source.downcast_ref::<io::Error>())
            .is_some_and(|error| error.kind() == io::ErrorKind::UnexpectedEof)
}
