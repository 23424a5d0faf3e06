//! What is answered.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use gatewright_arm::ArmError;
use hyper::StatusCode;
use hyper::body::{Frame, SizeHint};
use hyper::header::{HeaderName, HeaderValue};
use serde::Serialize;

use crate::front::places::Answering;

/// An answer on its way; the front door adds the headers that every answer has.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) body: Body,
}

#[derive(Clone, Debug)]
pub(crate) enum Body {
    Empty,
    Json(Bytes),
    Xml(Bytes),
}

impl Answer {
    pub(crate) fn empty(status: StatusCode) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Body::Empty,
        }
    }

    pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Self {
        Self {
            status,
            headers: Vec::new(),
            // Twice as fast as its text by `Display`.
            body: Body::Json(serde_json::to_vec(value).unwrap_or_default().into()),
        }
    }

    pub(crate) fn ok(value: &impl Serialize) -> Self {
        Self::json(StatusCode::OK, value)
    }

    pub(crate) fn error(error: &ArmError) -> Self {
        let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_REQUEST);
        let mut answer = Self::json(status, &error.to_body());
        // The front door's own errors carry this; a provider's do not.
        if error.details.is_none() {
            answer = answer.with("x-ms-failure-cause", "gateway");
        }
        if status == StatusCode::TOO_MANY_REQUESTS {
            answer = answer.with("retry-after", "1");
        }
        answer
    }

    /// With one more header; one that HTTP cannot carry is left out.
    #[must_use]
    pub(crate) fn with(mut self, name: &'static str, value: impl AsRef<str>) -> Self {
        if let Ok(value) = HeaderValue::from_str(value.as_ref()) {
            self.headers.push((HeaderName::from_static(name), value));
        }
        self
    }
}

/// A body on its way to a client.
pub(crate) struct Outgoing {
    rest: Bytes,
    /// Until the last piece was handed out.
    _answering: Option<Answering>,
}

/// Most of an answer that is handed out at once, in bytes: hyper asks for the next piece when there
/// is room for it, so that a body is known to be under way for as long as it is.
const PIECE_BYTES: usize = 64 * 1024;

impl Outgoing {
    pub(crate) fn new(whole: Bytes, answering: Option<Answering>) -> Self {
        Self {
            rest: whole,
            _answering: answering,
        }
    }
}

impl hyper::body::Body for Outgoing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let most = self.rest.len().min(PIECE_BYTES);
        let piece = self.rest.split_to(most);
        Poll::Ready((!piece.is_empty()).then(|| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}

impl From<ArmError> for Answer {
    fn from(error: ArmError) -> Self {
        Self::error(&error)
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use hyper::body::Body as _;

    use super::*;
    use crate::front::places::Standing;

    #[tokio::test]
    async fn an_answer_is_under_way_until_its_last_piece_was_handed_out() {
        let standing = Standing::of_a_stranger();
        let whole = Bytes::from(vec![7; 2 * PIECE_BYTES + 1]);
        let mut body = Outgoing::new(whole.clone(), Some(standing.serve().answer()));
        assert_eq!(body.size_hint().exact(), Some(whole.len() as u64));
        let mut taken = Vec::new();
        while !body.is_end_stream() {
            assert!(standing.is_answered());
            let piece = body.frame().await.unwrap().unwrap().into_data().unwrap();
            assert!(piece.len() <= PIECE_BYTES);
            taken.extend_from_slice(&piece);
        }
        assert_eq!(taken, whole);
        assert!(body.frame().await.is_none());
        drop(body);
        assert!(!standing.is_answered());
    }
}
