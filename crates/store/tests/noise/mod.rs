//! Values that cannot be packed.

/// Text of this length, in bytes, that does not repeat itself: letters of a generator of
/// Marsaglia's.
pub(crate) fn noise(seed: u64, length: usize) -> String {
    let mut state = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let letters = std::iter::from_fn(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from_u32(u32::from(b'0') + u32::try_from(state >> 58).ok()?)
    });
    letters.take(length).collect()
}
