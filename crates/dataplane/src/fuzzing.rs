//! Reads the same bytes with our parser and with hyper's, and says where the two part.
//!
//! Not part of the API: it is there for the fuzz targets (feature `fuzzing`) and for the tests of
//! this crate. A gateway that takes a message apart in another way than the server behind it can
//! be made to smuggle a request, so a second reader, written by others, watches over the first.
//!
//! Both sit on `httparse`; what `ours` gains from the comparison is everything above it: framing,
//! targets, repeated fields, chunked bodies and where they end.

mod oracle;
mod ours;
mod reasons;

#[cfg(test)]
mod grammar;
#[cfg(test)]
mod tests;

use std::fmt;

/// How a comparison came out when nothing is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Agreement {
    /// Both took the message, and took it alike; the body came to this end.
    Taken(End),
    /// Both refused the head.
    Refused,
    /// We refused what hyper took, for a reason that is meant.
    Stricter(&'static str),
    /// We took what hyper refused, for a reason that is known to do no harm.
    Looser(&'static str),
}

/// Where a body ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// Where its framing says.
    Complete,
    /// With the input, too early.
    Incomplete,
    /// In bytes that are no body.
    Broken,
}

/// Two readings that must not differ, and do.
#[derive(Debug)]
pub struct Disagreement {
    what: String,
}

impl Disagreement {
    fn new(what: impl Into<String>) -> Self {
        Self { what: what.into() }
    }
}

impl fmt::Display for Disagreement {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.what)
    }
}

/// A message as a reader saw it.
#[derive(Clone, Debug)]
struct Message {
    start: Start,
    /// Names in lower case, sorted by name; fields of one name stay in the order of the message.
    fields: Vec<(String, Vec<u8>)>,
    framing: Framing,
    end: End,
    payload: Vec<u8>,
    /// Bytes of the input up to the end of the body; of a broken one, up to its beginning.
    consumed: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Start {
    Request {
        method: Vec<u8>,
        path: Vec<u8>,
        query: Option<Vec<u8>>,
        minor_version: u8,
    },
    Response {
        status: u16,
        reason: Vec<u8>,
        minor_version: u8,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    Empty,
    Exact(u64),
    /// In chunks; of a response, also until the connection closes.
    Open,
}

/// The request of which bytes are the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// GET.
    Get,
    /// HEAD: the answer has no body.
    Head,
}

/// Compares the readings of `bytes` as all that a client sends on a connection, up to the end of
/// its first request.
///
/// # Errors
/// When they differ in a way that is not on the lists of `reasons`, or when our own reading
/// depends on how the bytes come in.
pub fn compare_request(bytes: &[u8]) -> Result<Agreement, Disagreement> {
    let ours = ours::read_request(bytes)?;
    let theirs = oracle::read_request(bytes)?;
    match (ours, theirs) {
        (Err(_), None) => Ok(Agreement::Refused),
        (Err(why), Some(_)) => match reasons::stricter_request(bytes, why) {
            Some(reason) => Ok(Agreement::Stricter(reason)),
            None => Err(Disagreement::new(format!(
                "hyper took it, we refused it ({why:?}) for no reason that is listed"
            ))),
        },
        (Ok((ours, _)), None) => looser_request(bytes, &ours),
        (Ok((ours, host)), Some((theirs, authority))) => {
            if authority.is_some_and(|authority| !reasons::is_same_host(&authority, &host)) {
                return Err(Disagreement::new("the authorities differ"));
            }
            compare_messages(bytes, &ours, &theirs)
        }
    }
}

/// What hyper refuses and we take must be alike once what it objects to is taken out.
fn looser_request(bytes: &[u8], ours: &Message) -> Result<Agreement, Disagreement> {
    let disagreement = || Disagreement::new(format!("hyper refused it, we took it: {ours:?}"));
    let (reason, plain) = reasons::looser_request(bytes).ok_or_else(disagreement)?;
    match compare_request(&plain)? {
        Agreement::Taken(_) | Agreement::Stricter(_) => Ok(Agreement::Looser(reason)),
        Agreement::Refused | Agreement::Looser(_) => Err(disagreement()),
    }
}

/// Compares the readings of `bytes` as all that a backend sends on a connection, up to the end of
/// its first final answer.
///
/// # Errors
/// As for [`compare_request`].
pub fn compare_response(bytes: &[u8], asked: Asked) -> Result<Agreement, Disagreement> {
    let ours = ours::read_response(bytes, asked)?;
    let theirs = oracle::read_response(bytes, asked)?;
    match (ours, theirs) {
        (Err(_), None) => Ok(Agreement::Refused),
        (Err(why), Some(theirs)) => match reasons::stricter_response(bytes, why, &theirs) {
            Some(reason) => Ok(Agreement::Stricter(reason)),
            None => Err(Disagreement::new(format!(
                "hyper took it, we refused it ({why:?}) for no reason that is listed"
            ))),
        },
        (Ok(ours), None) => Err(Disagreement::new(format!(
            "hyper refused it, we took it: {ours:?}"
        ))),
        (Ok(ours), Some(theirs)) => compare_messages(bytes, &ours, &theirs),
    }
}

fn compare_messages(
    bytes: &[u8],
    ours: &Message,
    theirs: &Message,
) -> Result<Agreement, Disagreement> {
    let differ = |what: &str| {
        let what = format!("the {what} differ\n  ours: {ours:?}\ntheirs: {theirs:?}");
        Err(Disagreement::new(what))
    };
    if ours.start != theirs.start {
        return differ("start lines");
    }
    if ours.fields != theirs.fields {
        return differ("fields");
    }
    if ours.framing != theirs.framing {
        return differ("framings");
    }
    if ours.end != theirs.end {
        let reason = match ours.end {
            End::Broken => reasons::stricter_body(&bytes[ours.consumed..]),
            End::Complete | End::Incomplete => None,
        };
        return match reason {
            Some(reason) => Ok(Agreement::Stricter(reason)),
            None => differ("ends of the bodies"),
        };
    }
    // Of a broken body nothing more is used, so what was read before does not matter.
    if ours.end != End::Broken && ours.payload != theirs.payload {
        return differ("payloads");
    }
    if ours.end == End::Complete && ours.consumed != theirs.consumed {
        return differ("places where the bodies end");
    }
    Ok(Agreement::Taken(ours.end))
}
