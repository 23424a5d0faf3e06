//! What a server presented.

use crate::certificate::{Certificate, Unreadable};
use crate::defect::At;

/// Most certificates that a server may present. The deepest public chains have five.
pub const PRESENTED_MAX: usize = 64;

/// Most bytes that the certificates of a server may have together. TLS libraries stop at 64 KiB.
pub const PRESENTED_BYTES_MAX: usize = 256 * 1024;

/// The certificates of a server in the order in which it sent them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Presented {
    certificates: Vec<Result<Certificate, Unreadable>>,
    excess: Option<Excess>,
}

/// Of what there is too much to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Excess {
    Certificates,
    Bytes,
}

impl Presented {
    /// Reads certificates in DER, each for itself: one that cannot be read hides no other. Stops
    /// at the first beyond [`PRESENTED_MAX`] and [`PRESENTED_BYTES_MAX`]; what is more than that
    /// is refused when it is examined.
    pub fn read<'a>(chain: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut presented = Self::default();
        let mut bytes = 0_usize;
        for der in chain {
            bytes = bytes.saturating_add(der.len());
            if presented.certificates.len() == PRESENTED_MAX {
                presented.excess = Some(Excess::Certificates);
                break;
            }
            if bytes > PRESENTED_BYTES_MAX {
                presented.excess = Some(Excess::Bytes);
                break;
            }
            presented.certificates.push(Certificate::read(der));
        }
        presented
    }

    /// The certificates, and why some of them cannot be read.
    pub fn certificates(&self) -> &[Result<Certificate, Unreadable>] {
        &self.certificates
    }

    pub(crate) fn excess(&self) -> Option<Excess> {
        self.excess
    }

    pub(crate) fn get(&self, position: usize) -> Option<&Certificate> {
        self.certificates.get(position)?.as_ref().ok()
    }

    /// The certificates that can be read, with their positions.
    pub(crate) fn readable(&self) -> impl Iterator<Item = (usize, &Certificate)> {
        let all = self.certificates.iter().enumerate();
        all.filter_map(|(position, one)| Some((position, one.as_ref().ok()?)))
    }

    pub(crate) fn at(&self, position: usize) -> At {
        let subject = self.get(position).map(Certificate::subject);
        At {
            position,
            subject: subject.unwrap_or_default().to_owned(),
        }
    }
}
