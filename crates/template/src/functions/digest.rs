//! Names from texts: the same for the same texts, and of the service's form.
//!
//! The values are not those of the service: what it hashes with is not documented. They come from
//! FNV-1a of 128 bits with a last mixing, over each text with its length.

use super::{Answer, Arguments};

const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;

/// Of the service: base 32 without `0`, `1`, `8`, `9`.
const UNIQUE_ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// Characters of a unique string.
const UNIQUE_LENGTH: u32 = 13;

fn digest128<'a>(texts: impl IntoIterator<Item = &'a str>) -> u128 {
    let mut state = OFFSET;
    let mut take = |byte: u8| state = (state ^ u128::from(byte)).wrapping_mul(PRIME);
    for text in texts {
        text.len().to_le_bytes().into_iter().for_each(&mut take);
        text.bytes().for_each(&mut take);
    }
    let (high, low) = (mixed((state >> 64) as u64), mixed(state as u64));
    let high = mixed(high ^ low.rotate_left(32));
    (u128::from(high) << 64) | u128::from(mixed(low.wrapping_add(high)))
}

/// The last step of MurmurHash3: every bit of the result depends on every bit.
fn mixed(mut bits: u64) -> u64 {
    bits ^= bits >> 33;
    bits = bits.wrapping_mul(0xff51_afd7_ed55_8ccd);
    bits ^= bits >> 33;
    bits = bits.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    bits ^ (bits >> 33)
}

pub(crate) fn digest64(text: &str) -> u64 {
    digest128([text]) as u64
}

pub(super) fn unique_string(arguments: &Arguments<'_>) -> Answer {
    let bits = digest128(texts(arguments)?);
    let letter = |index: u32| {
        let at = (bits >> (5 * index)) as usize & 31;
        char::from(UNIQUE_ALPHABET.get(at).copied().unwrap_or(b'a'))
    };
    Ok((0..UNIQUE_LENGTH).map(letter).collect::<String>().into())
}

pub(super) fn guid(arguments: &Arguments<'_>) -> Answer {
    Ok(guid_of(digest128(texts(arguments)?), 5).into())
}

fn texts<'v>(arguments: &Arguments<'v>) -> Result<Vec<&'v str>, String> {
    (0..arguments.len())
        .map(|index| arguments.text(index))
        .collect()
}

/// The text of a GUID of these bits, with the version (RFC 9562 §4) and the variant set.
pub(crate) fn guid_of(bits: u128, version: u8) -> String {
    let bits = bits & !(0xF << 76) | (u128::from(version & 0xF) << 76);
    let bits = bits & !(0x3 << 62) | (0x2 << 62);
    let digits = format!("{bits:032x}");
    let mut pieces = Vec::new();
    let mut rest = digits.as_str();
    for length in [8, 4, 4, 4, 12] {
        let (piece, after) = rest.split_at(length);
        pieces.push(piece);
        rest = after;
    }
    pieces.join("-")
}

/// The `count`-th new GUID of a seed.
pub(crate) fn new_guid(seed: u128, count: u64) -> String {
    guid_of(
        digest128([seed.to_string().as_str(), count.to_string().as_str()]),
        4,
    )
}
