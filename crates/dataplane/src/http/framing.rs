//! How long a message's body is: one decision per message, made here and nowhere else.
//!
//! Whoever reads the same bytes differently from the backend can be made to smuggle a request. So
//! nothing that two readers could take in two ways is repaired or forwarded; it is refused.

/// Where a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyLength {
    /// There is none.
    Empty,
    /// After this many bytes, at least one.
    Exact(u64),
    Chunked,
    /// With the connection; responses only.
    UntilClose,
}

/// What is wrong with a message's lengths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FramingError {
    /// Content-Length is no number below 2^63, or stands twice.
    ContentLength,
    /// Transfer-Encoding is not just `chunked`, stands twice, or comes from an HTTP/1.0 client.
    TransferEncoding,
    /// Both are there.
    Ambiguous,
    /// A POST with neither.
    LengthRequired,
}

/// Collects the fields that the decision rests on.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LengthFields {
    content_length: Option<u64>,
    chunked: bool,
}

impl LengthFields {
    pub(crate) fn add_content_length(&mut self, value: &[u8]) -> Result<(), FramingError> {
        let length = parse_length(value).ok_or(FramingError::ContentLength)?;
        match self.content_length.replace(length) {
            None => Ok(()),
            Some(_) => Err(FramingError::ContentLength),
        }
    }

    pub(crate) fn add_transfer_encoding(&mut self, value: &[u8]) -> Result<(), FramingError> {
        // Not as a list: to some readers `chunked,` ends with an empty coding and is not chunked.
        let only_chunked = value.trim_ascii().eq_ignore_ascii_case(b"chunked");
        if self.chunked || !only_chunked {
            return Err(FramingError::TransferEncoding);
        }
        self.chunked = true;
        Ok(())
    }

    /// The length of a request's body.
    pub(crate) fn of_request(
        self,
        method: &[u8],
        is_http_10: bool,
    ) -> Result<BodyLength, FramingError> {
        match (self.content_length, self.chunked) {
            (Some(_), true) => Err(FramingError::Ambiguous),
            (None, true) if is_http_10 => Err(FramingError::TransferEncoding),
            (None, true) => Ok(BodyLength::Chunked),
            (Some(0), false) => Ok(BodyLength::Empty),
            (Some(length), false) => Ok(BodyLength::Exact(length)),
            // The service answers 400 to it, though HTTP would take it for an empty body.
            (None, false) if method == b"POST" => Err(FramingError::LengthRequired),
            (None, false) => Ok(BodyLength::Empty),
        }
    }

    /// The length of a response's body. `to_head`: whether it answers a HEAD request.
    pub(crate) fn of_response(
        self,
        status: u16,
        to_head: bool,
        is_http_10: bool,
    ) -> Result<BodyLength, FramingError> {
        match (self.content_length, self.chunked) {
            (Some(_), true) => return Err(FramingError::Ambiguous),
            (None, true) if is_http_10 => return Err(FramingError::TransferEncoding),
            _ => {}
        }
        if to_head || status == 204 || status == 304 {
            return Ok(BodyLength::Empty);
        }
        Ok(match (self.content_length, self.chunked) {
            (_, true) => BodyLength::Chunked,
            (Some(0), false) => BodyLength::Empty,
            (Some(length), false) => BodyLength::Exact(length),
            (None, false) => BodyLength::UntilClose,
        })
    }

    /// The Content-Length as sent, for an answer to HEAD.
    pub(crate) fn content_length(self) -> Option<u64> {
        self.content_length
    }
}

/// Digits only: no sign, no blanks within, no list.
fn parse_length(value: &[u8]) -> Option<u64> {
    let value = value.trim_ascii();
    if value.is_empty() || value.len() > 18 || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(
        value
            .iter()
            .fold(0, |length, digit| length * 10 + u64::from(digit - b'0')),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(
        method: &str,
        fields: &[(&str, &str)],
        http_10: bool,
    ) -> Result<BodyLength, FramingError> {
        let mut lengths = LengthFields::default();
        for (name, value) in fields {
            match *name {
                "cl" => lengths.add_content_length(value.as_bytes())?,
                _ => lengths.add_transfer_encoding(value.as_bytes())?,
            }
        }
        lengths.of_request(method.as_bytes(), http_10)
    }

    #[test]
    fn a_request_has_one_length_or_is_refused() {
        let check = |fields: &[(&str, &str)], expected| {
            assert_eq!(request("PUT", fields, false), expected, "{fields:?}");
        };
        check(&[], Ok(BodyLength::Empty));
        check(&[("cl", "0")], Ok(BodyLength::Empty));
        check(&[("cl", " 12 ")], Ok(BodyLength::Exact(12)));
        check(&[("te", "Chunked")], Ok(BodyLength::Chunked));
        check(
            &[("cl", "5"), ("te", "chunked")],
            Err(FramingError::Ambiguous),
        );
        check(
            &[("cl", "5"), ("cl", "5")],
            Err(FramingError::ContentLength),
        );
        for bad in [
            "",
            "+5",
            "-5",
            "5, 5",
            "0x5",
            "5 5",
            "1234567890123456789",
            "5.0",
        ] {
            check(&[("cl", bad)], Err(FramingError::ContentLength));
        }
        for bad in [
            "",
            "identity",
            "gzip, chunked",
            "chunked, chunked",
            "chunked,",
            ",chunked",
            "chunked;q=1",
            "xchunked",
        ] {
            check(&[("te", bad)], Err(FramingError::TransferEncoding));
        }
        check(
            &[("te", "chunked"), ("te", "chunked")],
            Err(FramingError::TransferEncoding),
        );
    }

    #[test]
    fn a_post_needs_a_length_and_http_10_cannot_chunk() {
        assert_eq!(
            request("POST", &[], false),
            Err(FramingError::LengthRequired)
        );
        assert_eq!(
            request("POST", &[("cl", "0")], false),
            Ok(BodyLength::Empty)
        );
        assert_eq!(
            request("PUT", &[("te", "chunked")], true),
            Err(FramingError::TransferEncoding)
        );
    }

    #[test]
    fn a_response_to_head_and_some_statuses_have_no_body() {
        let lengths = LengthFields {
            content_length: Some(7),
            chunked: false,
        };
        assert_eq!(lengths.of_response(200, true, false), Ok(BodyLength::Empty));
        assert_eq!(
            lengths.of_response(304, false, false),
            Ok(BodyLength::Empty)
        );
        assert_eq!(
            lengths.of_response(200, false, false),
            Ok(BodyLength::Exact(7))
        );
        let none = LengthFields::default();
        assert_eq!(
            none.of_response(200, false, false),
            Ok(BodyLength::UntilClose)
        );
        let both = LengthFields {
            content_length: Some(7),
            chunked: true,
        };
        assert_eq!(
            both.of_response(304, false, false),
            Err(FramingError::Ambiguous)
        );
    }
}
