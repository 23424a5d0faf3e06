//! The line with which a connection begins behind a proxy: PROXY protocol, version 1
//! (<https://www.haproxy.org/download/1.8/doc/proxy-protocol.txt>, section 2.1).

use super::log::Shared;
use super::request::Violation;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use tokio::io::{AsyncRead, AsyncReadExt};

/// The longest line, in bytes with its CR LF (section 2.1).
const MAX_LINE: usize = 107;
const SIGNATURE: &[u8] = b"PROXY ";

/// Reads the line and writes it down; `false`, and a violation, if there is none.
pub(crate) async fn admit(
    stream: &mut (impl AsyncRead + Unpin),
    connection: u64,
    shared: &Shared,
) -> bool {
    let mut bytes = Vec::new();
    let what = match read_line(stream, &mut bytes).await {
        Ok(line) => {
            shared.note_proxy_line(connection, line);
            return true;
        }
        Err(what) => what,
    };
    shared.report(Violation {
        connection,
        ordinal: 0,
        what,
        bytes,
    });
    false
}

/// Reads byte by byte: what follows the line belongs to TLS or to HTTP.
async fn read_line(
    stream: &mut (impl AsyncRead + Unpin),
    bytes: &mut Vec<u8>,
) -> Result<String, &'static str> {
    while !bytes.ends_with(b"\r\n") {
        if bytes.len() == MAX_LINE {
            return Err("a PROXY line of more than 107 bytes");
        }
        let byte = stream.read_u8().await;
        bytes.push(byte.map_err(|_| "a connection that ended before its PROXY line")?);
        let compared = bytes.len().min(SIGNATURE.len());
        if bytes[..compared] != SIGNATURE[..compared] {
            return Err("a connection that does not begin with a PROXY line");
        }
    }
    let line = std::str::from_utf8(&bytes[..bytes.len() - 2])
        .map_err(|_| "a PROXY line that is not ASCII")?;
    if is_valid(line) {
        Ok(line.to_owned())
    } else {
        Err("a PROXY line that is malformed")
    }
}

fn is_valid(line: &str) -> bool {
    let words: Vec<&str> = line.split(' ').collect();
    match words.as_slice() {
        // What follows it is to be ignored.
        ["PROXY", "UNKNOWN", ..] => true,
        ["PROXY", "TCP4", ends @ ..] => are_ends::<Ipv4Addr>(ends),
        ["PROXY", "TCP6", ends @ ..] => are_ends::<Ipv6Addr>(ends),
        _ => false,
    }
}

/// Whether these are two addresses and two ports.
fn are_ends<Address: FromStr>(words: &[&str]) -> bool {
    let is_address = |word: &str| word.parse::<Address>().is_ok();
    let is_port = |word: &str| word.parse::<u16>().is_ok_and(|it| it.to_string() == word);
    match words {
        [source, destination, from, to] => {
            is_address(source) && is_address(destination) && is_port(from) && is_port(to)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_those_of_version_1_and_no_others() {
        for good in [
            "PROXY UNKNOWN",
            "PROXY UNKNOWN ffff::1 ffff::2 1 2",
            "PROXY TCP4 10.0.0.1 10.0.0.2 65535 80",
            "PROXY TCP6 ::1 ::2 1 0",
        ] {
            assert!(is_valid(good), "{good}");
        }
        for bad in [
            "PROXY ",
            "PROXY UDP4 10.0.0.1 10.0.0.2 1 2",
            "PROXY TCP4 ::1 ::2 1 2",
            "PROXY TCP6 10.0.0.1 10.0.0.2 1 2",
            "PROXY TCP4 10.0.0.1 10.0.0.2 1",
            "PROXY TCP4 10.0.0.1 10.0.0.2 1 65536",
            "PROXY TCP4 10.0.0.1 10.0.0.2 01 2",
            "PROXY TCP4  10.0.0.1 10.0.0.2 1 2",
            "PROXY TCP4 10.0.0.1 10.0.0.2 1 2 3",
        ] {
            assert!(!is_valid(bad), "{bad}");
        }
    }
}
