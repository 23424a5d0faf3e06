//! Answers that the gateway itself makes: errors and redirects.

use std::io::{IoSlice, Write as _};
use std::time::SystemTime;

use bytes::Bytes;
use gatewright_snapshot::{Generation, ListenerIndex};
use gatewright_telemetry::Failure;

use super::client::Client;
use super::recording::{Note, Recording};
use super::request_head::push_number;
use super::response_head::connection_field;
use super::{After, SEND_STALL_MAX};
use crate::io::StreamError;
use crate::live::Live;
use crate::time_out::time_out;

/// Answers with the page of `failure`. Without `keep_alive`, what the client still sends is read
/// and thrown away for a while, so that it gets to see the page.
pub(super) async fn fail(
    client: &mut Client,
    live: &Live,
    recording: &mut Recording,
    failure: Failure,
    keep_alive: bool,
) -> After {
    recording.fail(failure);
    if failure.status() == 499 {
        recording.lose_client(failure);
        return After::Close;
    }
    let listener = recording
        .listener()
        .or_else(|| first_listener(client, live));
    let custom = listener.and_then(|listener| custom_page(client, live, listener, failure));
    let body =
        custom.unwrap_or_else(|| page(failure.status(), explanation(failure), live, listener));
    let answer = Answer {
        status: failure.status(),
        location: None,
        failure: Some(failure).filter(|_| client.core().shared.tells_failures),
        body: &body,
        listener,
    };
    answer.send(client, live, recording, keep_alive).await
}

pub(super) async fn redirect(
    client: &mut Client,
    live: &Live,
    recording: &mut Recording,
    status: u16,
    location: &[u8],
    keep_alive: bool,
) -> After {
    let listener = recording.listener();
    let body = page(status, None, live, listener);
    let answer = Answer {
        status,
        location: Some(location),
        failure: None,
        body: &body,
        listener,
    };
    answer.send(client, live, recording, keep_alive).await
}

struct Answer<'a> {
    status: u16,
    location: Option<&'a [u8]>,
    /// What is told of it to the client.
    failure: Option<Failure>,
    body: &'a [u8],
    listener: Option<ListenerIndex>,
}

impl Answer<'_> {
    async fn send(
        &self,
        client: &mut Client,
        live: &Live,
        recording: &mut Recording,
        keep_alive: bool,
    ) -> After {
        let keep_alive = keep_alive && !client.core().is_draining();
        let mut text = client.core().text();
        self.write(&mut text, live, recording, keep_alive);
        let is_head = recording.noted(Note::Method) == b"HEAD";
        let body = if is_head { &[][..] } else { self.body };
        recording.set_status(self.status);
        recording.note(Note::ContentType, b"text/html");
        let mut sent = 0;
        let mut pieces = [IoSlice::new(&text), IoSlice::new(body)];
        let outcome = client
            .stream()
            .send_all(&mut pieces, &mut sent, client.timer(), SEND_STALL_MAX)
            .await;
        recording.add_sent(sent);
        client.core().keep_text(text);
        match outcome {
            Err(error) => {
                recording.lose_client(match error {
                    StreamError::Broken => Failure::ClientClosedInAnswer,
                    StreamError::TimedOut => time_out(client.timer(), Failure::ClientStalled),
                });
                After::Close
            }
            Ok(()) if keep_alive => After::KeepOpen,
            Ok(()) => After::Linger,
        }
    }

    fn write(&self, text: &mut Vec<u8>, live: &Live, recording: &Recording, keep_alive: bool) {
        text.extend_from_slice(b"HTTP/1.1 ");
        push_number(text, u64::from(self.status));
        text.push(b' ');
        text.extend_from_slice(reason(self.status).as_bytes());
        text.extend_from_slice(b"\r\n");
        if !hides_server(live, self.listener) {
            text.extend_from_slice(b"Server: ");
            text.extend_from_slice(server(live, self.listener).as_bytes());
            text.extend_from_slice(b"\r\n");
        }
        text.extend_from_slice(b"Date: ");
        text.extend_from_slice(httpdate::fmt_http_date(SystemTime::now()).as_bytes());
        text.extend_from_slice(b"\r\nContent-Type: text/html\r\nContent-Length: ");
        push_number(text, self.body.len() as u64);
        text.extend_from_slice(b"\r\n");
        if let Some(location) = self.location {
            text.extend_from_slice(b"Location: ");
            text.extend_from_slice(location);
            text.extend_from_slice(b"\r\n");
        }
        if let Some(failure) = self.failure {
            push_proxy_status(text, failure, recording);
        }
        text.extend_from_slice(connection_field(recording.version(), keep_alive));
        text.extend_from_slice(b"\r\n");
    }
}

/// RFC 9209, with the request's identity as a parameter of our own: `gatewright why` tells more.
fn push_proxy_status(text: &mut Vec<u8>, failure: Failure, recording: &Recording) {
    text.extend_from_slice(b"Proxy-Status: gatewright; error=");
    text.extend_from_slice(failure.proxy_error().as_bytes());
    if let Some(server) = recording.last_server() {
        // Writing to a vector does not fail.
        let _ = write!(text, "; next-hop=\"{server}\"");
    }
    // Facts are our own texts, without quotes.
    let (fact, trace) = (failure.fact(), recording.trace());
    let _ = write!(text, "; details=\"{fact}\"; trace=\"{trace}\"\r\n");
}

/// Whose error pages a request gets that reached no listener: those of its endpoint's first.
fn first_listener(client: &mut Client, live: &Live) -> Option<ListenerIndex> {
    let endpoint = client.endpoint(live)?;
    let position = live
        .snapshot
        .listeners
        .iter()
        .position(|one| one.endpoint == endpoint)?;
    Some(ListenerIndex::new(position))
}

fn custom_page(
    client: &Client,
    live: &Live,
    listener: ListenerIndex,
    failure: Failure,
) -> Option<Bytes> {
    let pages = &live.snapshot.listener(listener).error_pages;
    let page = pages.iter().find(|page| page.status == failure.status())?;
    client
        .core()
        .shared
        .error_pages
        .load()
        .get(&page.url)
        .cloned()
}

/// What the page of a failure says besides the status, where that alone would mislead.
fn explanation(failure: Failure) -> Option<&'static str> {
    match failure {
        Failure::PlainHttpOnTlsPort => Some("The plain HTTP request was sent to HTTPS port"),
        Failure::WebSocketUnsupported => {
            Some("This gateway does not pass WebSocket connections on yet")
        }
        _ => None,
    }
}

fn generation(live: &Live, listener: Option<ListenerIndex>) -> Generation {
    listener.map_or(Generation::V2, |listener| {
        live.snapshot.gateway_of(listener).generation
    })
}

fn hides_server(live: &Live, listener: Option<ListenerIndex>) -> bool {
    listener.is_some_and(|listener| live.snapshot.gateway_of(listener).hide_server_header)
}

fn server(live: &Live, listener: Option<ListenerIndex>) -> &'static str {
    match generation(live, listener) {
        Generation::V1 => "Microsoft-Azure-Application-Gateway/v1",
        Generation::V2 => "Microsoft-Azure-Application-Gateway/v2",
    }
}

/// The body of an answer, as the service's own look.
fn page(
    status: u16,
    explanation: Option<&str>,
    live: &Live,
    listener: Option<ListenerIndex>,
) -> Bytes {
    let title = format!("{status} {}", reason(status));
    if status == 502 && generation(live, listener) == Generation::V1 {
        let text = "502 - Web server received an invalid response while acting as a gateway or \
            proxy server.";
        return format!(
            "<html>\r\n<head><title>{text}</title></head>\r\n<body>\r\n<h1>Server Error</h1>\r\n\
             <h2>{text}</h2>\r\n</body>\r\n</html>\r\n"
        )
        .into();
    }
    let explanation =
        explanation.map_or_else(String::new, |text| format!("<center>{text}</center>\r\n"));
    let server = server(live, listener);
    format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n\
         <center><h1>{title}</h1></center>\r\n{explanation}<hr><center>{server}</center>\r\n\
         </body>\r\n</html>\r\n"
    )
    .into()
}

fn reason(status: u16) -> &'static str {
    match status {
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        307 => "Temporary Redirect",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Time-out",
        413 => "Request Entity Too Large",
        414 => "Request-URI Too Large",
        417 => "Expectation Failed",
        431 => "Request Header Fields Too Large",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Time-out",
        _ => "Internal Server Error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_that_a_failure_makes_has_a_reason() {
        for failure in Failure::ALL {
            let status = failure.status();
            assert!(
                status == 499 || reason(status) != "Internal Server Error",
                "{status} of {}",
                failure.code()
            );
        }
    }
}
