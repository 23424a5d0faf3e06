//! The little of DER that is needed around certificates and keys: reading and writing of
//! tag-length-value triples with short tags and definite lengths. X.509 itself is for x509-parser.

/// Tags that are met here.
pub mod tag {
    pub const INTEGER: u8 = 0x02;
    pub const BIT_STRING: u8 = 0x03;
    pub const OCTET_STRING: u8 = 0x04;
    pub const NULL: u8 = 0x05;
    pub const OBJECT_ID: u8 = 0x06;
    pub const SEQUENCE: u8 = 0x30;
    pub const SET: u8 = 0x31;
    /// `[0]`, constructed.
    pub const CONTEXT_0: u8 = 0xa0;
    /// `[1]`, constructed.
    pub const CONTEXT_1: u8 = 0xa1;
}

/// One value with its tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tlv<'a> {
    pub tag: u8,
    pub contents: &'a [u8],
    /// Tag, length and contents.
    pub whole: &'a [u8],
}

impl<'a> Tlv<'a> {
    /// The first value of `input` and what follows it. `None` for tags of several bytes, indefinite
    /// lengths, lengths beyond 4 GiB or beyond the input.
    pub fn read(input: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (&tag, rest) = input.split_first()?;
        let (&first, rest) = rest.split_first()?;
        if tag & 0x1f == 0x1f {
            return None;
        }
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81..=0x84 => {
                let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                let length = digits
                    .iter()
                    .fold(0, |sum, digit| sum << 8 | usize::from(*digit));
                (length, rest)
            }
            _ => return None,
        };
        let (contents, rest) = rest.split_at_checked(length)?;
        let whole = input.get(..input.len() - rest.len())?;
        Some((
            Self {
                tag,
                contents,
                whole,
            },
            rest,
        ))
    }

    /// The only value of `input`, with this tag.
    pub fn only(input: &'a [u8], tag: u8) -> Option<Self> {
        let (value, rest) = Self::read(input)?;
        (rest.is_empty() && value.tag == tag).then_some(value)
    }

    /// The values inside, up to the first that cannot be read.
    pub fn children(self) -> impl Iterator<Item = Tlv<'a>> {
        let mut rest = self.contents;
        std::iter::from_fn(move || {
            let (value, after) = Self::read(rest)?;
            rest = after;
            Some(value)
        })
    }
}

/// The encoding of `parts`, one after the other, under `tag`. Allocates once, so that no copy of a
/// secret part stays behind in memory given back.
pub fn encode(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let digits = length.to_be_bytes();
    let significant = digits.iter().skip_while(|digit| **digit == 0);
    let mut out = Vec::with_capacity(length + 2 + digits.len());
    out.push(tag);
    if length < 0x80 {
        out.push(length as u8);
    } else {
        out.push(0x80 | significant.clone().count() as u8);
        out.extend(significant);
    }
    for part in parts {
        out.extend_from_slice(part);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_read_back() {
        for length in [0, 1, 127, 128, 255, 256, 70_000] {
            let contents = vec![7; length];
            let encoded = encode(tag::OCTET_STRING, &[&contents]);
            let value = Tlv::only(&encoded, tag::OCTET_STRING).expect("readable");
            assert_eq!(value.contents, contents);
            assert_eq!(value.whole, encoded);
        }
        assert_eq!(encode(tag::NULL, &[]), [5, 0]);
        assert_eq!(encode(tag::OCTET_STRING, &[&[0; 200]])[..3], [4, 0x81, 200]);
    }

    #[test]
    fn what_is_not_der_is_refused() {
        let short: &[u8] = &[0x30, 5, 1];
        let indefinite: &[u8] = &[0x30, 0x80, 0, 0];
        let long_tag: &[u8] = &[0x1f, 0x81, 1, 0];
        let huge: &[u8] = &[0x30, 0x85, 1, 1, 1, 1, 1];
        for input in [
            short,
            indefinite,
            long_tag,
            huge,
            &[],
            &[0x30],
            &[0x30, 0x82, 1],
        ] {
            assert_eq!(Tlv::read(input), None, "{input:02x?}");
        }
    }
}
