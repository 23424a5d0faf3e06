//! Talks to a running node: one request, one answer, over one connection.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use crate::admin::{GUARD_HEADER, KEY_HEADER};
use crate::sentence::Sentence;
use crate::settings::AdminAddress;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A reload waits for every worker to switch.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);

/// Largest answer, in bytes.
const ANSWER_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// The status of a node's answer when all is well.
pub(crate) const OK: u16 = 200;

/// A node's answer.
#[derive(Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Answer {
    /// What a node says that does what it was asked.
    ///
    /// # Errors
    /// When it refuses, in its own words.
    pub(crate) fn good(self) -> Result<Value, Sentence> {
        match (self.status, self.body["error"].as_str()) {
            (OK, _) => Ok(self.body),
            (_, Some(why)) => Err(Sentence::new(why.to_owned())),
            (status, None) => Err(Sentence::new(format!("the node answers {status}"))),
        }
    }
}

/// What is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Question<'a> {
    Get(&'a str),
    Post(&'a str, Option<&'a Value>),
}

/// Asks the node at `admin`.
///
/// # Errors
/// When no node answers there, or not as one would.
pub(crate) fn ask(admin: Option<AdminAddress>, question: Question<'_>) -> Result<Answer, Sentence> {
    let AdminAddress::At(address) = admin.unwrap_or(AdminAddress::DEFAULT) else {
        return Err(Sentence::new(
            "the admin address is `none`, where nobody can be asked",
        ));
    };
    let bytes = exchange(address, question, None).map_err(|error| {
        Sentence::new(format!(
            "no node answers at {address} ({error}); start one with `gatewright serve`, or name \
             its admin address with --admin or GATEWRIGHT_ADMIN"
        ))
    })?;
    parse(&bytes).ok_or_else(|| {
        Sentence::new(format!(
            "what answers at {address} is not a Gatewright node; name the node's admin address \
             with --admin or GATEWRIGHT_ADMIN"
        ))
    })
}

/// Asks the node at `address` as somebody who has the key of its data folder.
///
/// # Errors
/// When no node answers there: why, without a way out.
pub(crate) fn ask_with_key(
    address: SocketAddr,
    question: Question<'_>,
    key: &str,
) -> Result<Answer, String> {
    let bytes = exchange(address, question, Some(key));
    let bytes = bytes.map_err(|error| format!("{address}: {error}"))?;
    parse(&bytes).ok_or_else(|| format!("what answers at {address} is another program"))
}

fn exchange(address: SocketAddr, question: Question<'_>, key: Option<&str>) -> io::Result<Vec<u8>> {
    let (method, path, body) = match question {
        Question::Get(path) => ("GET", path, None),
        Question::Post(path, body) => ("POST", path, body),
    };
    let body = body.map(Value::to_string).unwrap_or_default();
    let mut stream = TcpStream::connect_timeout(&address, CONNECT_TIMEOUT)?;
    stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
    stream.set_write_timeout(Some(CONNECT_TIMEOUT))?;
    let key = key.map_or_else(String::new, |key| format!("{KEY_HEADER}: {key}\r\n"));
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\n{GUARD_HEADER}: 1\r\n{key}\
         Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n\
         {body}",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    let mut bytes = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut bytes)?;
    match bytes.len() as u64 == ANSWER_BYTES_MAX {
        true => Err(io::Error::other(format!(
            "its answer has more than {ANSWER_BYTES_MAX} bytes"
        ))),
        false => Ok(bytes),
    }
}

/// The answer in `bytes`: a head, and JSON until the end of the connection.
fn parse(bytes: &[u8]) -> Option<Answer> {
    const END_OF_HEAD: &[u8] = b"\r\n\r\n";
    let end = bytes
        .windows(END_OF_HEAD.len())
        .position(|window| window == END_OF_HEAD)?;
    let (head, body) = bytes.split_at(end);
    let head = std::str::from_utf8(head).ok()?;
    let status = head.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    let body = serde_json::from_slice(body.get(END_OF_HEAD.len()..)?).ok()?;
    Some(Answer { status, body })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_a_status_and_json() {
        let bytes = b"HTTP/1.1 409 Conflict\r\ncontent-length: 2\r\n\r\n[]";
        let expected = Answer {
            status: 409,
            body: Value::Array(Vec::new()),
        };
        assert_eq!(parse(bytes), Some(expected));
        assert_eq!(parse(b"HTTP/1.1 200 OK\r\n\r\n<html>"), None);
        assert_eq!(parse(b"SSH-2.0-OpenSSH\r\n\r\n"), None);
        assert_eq!(parse(b""), None);
    }

    #[test]
    fn an_unreachable_node_is_told_with_the_ways_to_reach_one() {
        let address = {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            listener.local_addr().unwrap()
        };
        let error = ask(Some(AdminAddress::At(address)), Question::Get("/health"))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(&address.to_string()) && error.contains("--admin"),
            "{error}"
        );
        let error = ask(Some(AdminAddress::Nowhere), Question::Get("/health"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("`none`"), "{error}");
    }
}
