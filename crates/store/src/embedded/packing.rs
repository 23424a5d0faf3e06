//! Values as they lie in the database: documents repeat themselves, and each is written several
//! times over, so that packing them costs less than writing them.

use std::borrow::Cow;

use lz4_flex::block::{compress, decompress_into};

use crate::model::VALUE_BYTES_MAX;

/// Values below this length are kept as they are, in bytes: there is nothing to gain.
const PACKED_FROM: usize = 1024;

/// A value as it is kept.
pub(super) struct Packed<'a> {
    pub(super) bytes: Cow<'a, [u8]>,
    /// The length of the value, in bytes, where it was packed: an LZ4 block. None where it lies as
    /// it is.
    pub(super) unpacked: Option<usize>,
}

/// Packs a value where that makes it smaller.
pub(super) fn pack(value: &[u8]) -> Packed<'_> {
    if value.len() >= PACKED_FROM {
        let packed = compress(value);
        if packed.len() < value.len() {
            return Packed {
                bytes: Cow::Owned(packed),
                unpacked: Some(value.len()),
            };
        }
    }
    Packed {
        bytes: Cow::Borrowed(value),
        unpacked: None,
    }
}

/// The value of `bytes` that were packed from `unpacked` bytes.
///
/// # Errors
/// When they were not; no more than the largest value is ever unpacked.
pub(super) fn unpack(bytes: &[u8], unpacked: usize) -> Result<Vec<u8>, String> {
    if unpacked > VALUE_BYTES_MAX {
        return Err("its value is too large".to_owned());
    }
    let mut value = vec![0; unpacked];
    match decompress_into(bytes, &mut value) {
        Ok(length) if length == unpacked => Ok(value),
        Ok(length) => Err(format!(
            "its value has {length} bytes, not the {unpacked} that it is said to have"
        )),
        Err(error) => Err(format!("its value cannot be unpacked: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn there_and_back(value: &[u8]) -> Vec<u8> {
        let packed = pack(value);
        match packed.unpacked {
            Some(unpacked) => unpack(&packed.bytes, unpacked).unwrap(),
            None => packed.bytes.into_owned(),
        }
    }

    #[test]
    fn only_what_becomes_smaller_is_packed() {
        let repeated = "the same again; ".repeat(100);
        let packed = pack(repeated.as_bytes());
        assert_eq!(packed.unpacked, Some(1600));
        assert!(packed.bytes.len() < 100);
        assert!(pack(&repeated.as_bytes()[..1023]).unpacked.is_none());
        // A generator of Marsaglia's: nothing in it that LZ4 has seen before.
        let mut state = 1_u64;
        let noise = std::iter::from_fn(|| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            u8::try_from(state >> 56).ok()
        });
        let noise: Vec<u8> = noise.take(2000).collect();
        assert!(pack(&noise).unpacked.is_none());
        assert_eq!(there_and_back(&noise), noise);
    }

    #[test]
    fn what_was_not_packed_is_refused() {
        let value = "the same again; ".repeat(100);
        let packed = pack(value.as_bytes()).bytes.into_owned();
        for unpacked in [0, 1, 1599, 1601, VALUE_BYTES_MAX, usize::MAX] {
            unpack(&packed, unpacked).unwrap_err();
        }
        unpack(&packed[..packed.len() / 2], 1600).unwrap_err();
        unpack(&[0xff; 64], 1600).unwrap_err();
    }

    proptest! {
        #[test]
        fn every_value_comes_back(
            parts in prop::collection::vec(".{0,40}", 0..8),
            times in 1..200_usize,
        ) {
            let value = parts.concat().repeat(times);
            prop_assert_eq!(there_and_back(value.as_bytes()), value.as_bytes());
        }

        #[test]
        fn garbage_is_no_reason_to_panic(bytes: Vec<u8>, unpacked in 0..10_000_usize) {
            let _ = unpack(&bytes, unpacked);
        }
    }
}
