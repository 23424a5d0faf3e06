//! Looks for a text in an answer's body while it streams by, holding no more of it than needed.

/// Finds `wanted` in pieces of a body, also where it lies across two of them.
pub(super) struct TextSearch<'a> {
    wanted: &'a [u8],
    /// The end of what has been seen: the beginning of `wanted` may be in it.
    tail: Vec<u8>,
    is_found: bool,
}

impl<'a> TextSearch<'a> {
    pub(super) fn new(wanted: &'a str) -> Self {
        Self {
            wanted: wanted.as_bytes(),
            tail: Vec::new(),
            is_found: wanted.is_empty(),
        }
    }

    pub(super) fn is_found(&self) -> bool {
        self.is_found
    }

    pub(super) fn take(&mut self, piece: &[u8]) {
        if self.is_found {
            return;
        }
        let keep = self.wanted.len() - 1;
        self.tail.extend_from_slice(&piece[..piece.len().min(keep)]);
        let contains = |bytes: &[u8]| memchr::memmem::find(bytes, self.wanted).is_some();
        self.is_found = contains(&self.tail) || contains(piece);
        if piece.len() >= keep {
            self.tail.clear();
            self.tail.extend_from_slice(&piece[piece.len() - keep..]);
        } else if self.tail.len() > keep {
            self.tail.drain(..self.tail.len() - keep);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(wanted: &str, body: &str, step: usize) -> bool {
        let mut search = TextSearch::new(wanted);
        body.as_bytes()
            .chunks(step)
            .for_each(|piece| search.take(piece));
        search.is_found()
    }

    #[test]
    fn a_text_is_found_however_the_body_is_cut() {
        let body = "well, it works at last; it work";
        for step in 1..=body.len() {
            for start in 0..body.len() {
                for end in start + 1..=body.len() {
                    let wanted = &body[start..end];
                    assert!(found(wanted, body, step), "{wanted:?} by {step}");
                }
            }
            assert!(!found("it works now", body, step), "by {step}");
            assert!(!found("It works", body, step), "by {step}");
            assert!(!found("workit", body, step), "by {step}");
        }
    }
}
