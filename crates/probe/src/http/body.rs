//! Response bodies: read up to a bound, digested whole, kept in part.

use std::fmt::Write as _;

use landfall_evidence::{Body, ReadOnce};
use sha2::{Digest, Sha256};

use super::{coding, document, likeness};

/// Bytes that show a content coding: the longest mark is that of Zstandard (RFC 8878, section 3.1.1).
const OPENING_BYTE: usize = 4;

/// What has been read of a body. Holds at most the part that is kept, whatever the peer sends.
pub(crate) struct Intake {
    limit: u64,
    keep: usize,
    count: u64,
    kept: Vec<u8>,
    digest: Sha256,
    /// The words of a text, when its likeness to others is asked for.
    words: Option<likeness::Words>,
    /// The coding that is to be undone, and the coded bytes.
    coded: Option<(String, Vec<u8>)>,
    /// All bytes of what may be an OpenAPI document.
    document: Option<Vec<u8>>,
}

impl Intake {
    /// Reads at most `limit` bytes and keeps the first `keep` of them.
    pub(crate) fn new(limit: usize, keep: usize) -> Self {
        Self {
            limit: limit as u64,
            keep,
            count: 0,
            kept: Vec::new(),
            digest: Sha256::new(),
            words: None,
            coded: None,
            document: None,
        }
    }

    /// Also reads an OpenAPI document, should it be one. Its bytes are held until the end, all of them within the limit;
    /// those of anything else until its beginning shows what it is.
    pub(crate) fn with_document(mut self) -> Self {
        self.document = Some(Vec::new());
        self
    }

    /// Also notes how the text reads, so that it can be told from others that are nearly alike.
    pub(crate) fn with_likeness(mut self) -> Self {
        self.words = Some(likeness::Words::default());
        self
    }

    /// Also undoes this content coding at the end. The coded bytes are held until then, all of them within the limit.
    pub(crate) fn with_coding(mut self, named: String) -> Self {
        self.coded = Some((named, Vec::new()));
        self
    }

    /// Takes in the next bytes; `false` when they go past the limit, and then the rest of them is dropped.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> bool {
        let room = usize::try_from(self.limit - self.count).unwrap_or(usize::MAX);
        let taken = &bytes[..bytes.len().min(room)];
        self.digest.update(taken);
        self.count += taken.len() as u64;
        if let Some(words) = &mut self.words {
            words.take(taken);
        }
        if let Some((_, coded)) = &mut self.coded {
            coded.extend_from_slice(taken);
        }
        if let Some(document) = &mut self.document {
            document.extend_from_slice(taken);
            if document.len() >= 4 * 1024 && !document::may_be(document) {
                self.document = None;
            }
        }
        let wanted = self.keep.saturating_sub(self.kept.len()).min(taken.len());
        self.kept.extend_from_slice(&taken[..wanted]);
        taken.len() == bytes.len()
    }

    /// Bytes read so far.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// The body as evidence. `cut` says why the end was not seen; `encoded` that the bytes carry a content coding, so
    /// that they are not text even where they look like it.
    pub(crate) fn finish(self, cut: Option<String>, encoded: bool) -> Body {
        let partial = self.count > self.kept.len() as u64;
        let text = if encoded { None } else { text(&self.kept, partial) };
        let opening = text.is_none() && !self.kept.is_empty();
        let opening = opening.then(|| hexadecimal(&self.kept[..self.kept.len().min(OPENING_BYTE)]).into());
        let decoded = self
            .coded
            .and_then(|(named, bytes)| coding::decoded(&named, &bytes, cut.is_none() && !bytes.is_empty()))
            .map(Box::new);
        let simhash = self
            .words
            .filter(|_| text.is_some())
            .and_then(likeness::Words::finish)
            .map(String::into_boxed_str);
        let document = self.document.filter(|_| cut.is_none() && !encoded);
        let document = document.and_then(|bytes| document::read(&bytes)).map(Box::new);
        Body {
            byte_count: self.count,
            complete: cut.is_none(),
            cut,
            text,
            sha256: hexadecimal(&self.digest.finalize()),
            opening,
            simhash,
            document,
            decoded,
            read: ReadOnce::default(),
        }
    }
}

/// The bytes as text. Where they are only the beginning, a character cut in two at their end is left out.
fn text(bytes: &[u8], partial: bool) -> Option<String> {
    if bytes.contains(&0) {
        return None;
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(text.to_owned()),
        // `error_len` is None exactly when the input ended inside a character.
        Err(error) if partial && error.error_len().is_none() => {
            std::str::from_utf8(&bytes[..error.valid_up_to()]).ok().map(str::to_owned)
        }
        Err(_) => None,
    }
}

pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        // Writing to a String cannot fail.
        let _ = write!(out, "{byte:02x}");
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(limit: usize, keep: usize, chunks: &[&[u8]]) -> (bool, Body) {
        let mut intake = Intake::new(limit, keep);
        let whole = chunks.iter().all(|chunk| intake.take(chunk));
        (whole, intake.finish((!whole).then(|| "bound".to_owned()), false))
    }

    #[test]
    fn a_body_inside_the_bound_is_whole() {
        let (whole, body) = read(9, 9, &[b"Not ", b"Found"]);
        assert!(whole && body.complete);
        assert_eq!(body.text.as_deref(), Some("Not Found"));
        assert_eq!(body.byte_count, 9);
        // printf "Not Found" | sha256sum
        assert_eq!(body.sha256, "0019dfc4b32d63c1392aa264aed2253c1e0c2fb09216f8e2cc269bbfb8bb49b5");
    }

    #[test]
    fn a_body_past_the_bound_is_cut_at_it() {
        let (whole, body) = read(8, 4, &[b"abcdef", b"ghij"]);
        assert!(!whole && !body.complete);
        assert_eq!((body.byte_count, body.text.as_deref()), (8, Some("abcd")));
    }

    #[test]
    fn text_is_cut_between_characters_and_never_guessed() {
        assert_eq!(read(99, 2, &["aé".as_bytes()]).1.text.as_deref(), Some("a"));
        assert_eq!(read(99, 99, &[b"a\xc3"]).1.text, None, "the end was seen, so this is not UTF-8");
        assert_eq!(read(99, 99, &[b"\xff\xfe"]).1.text, None);
        assert_eq!(read(99, 99, &[b"a\0b"]).1.text, None);
        assert_eq!(Intake::new(9, 9).finish(None, true).text, None, "a coded body is not text");
        assert_eq!(Intake::new(9, 9).finish(None, false).text.as_deref(), Some(""));
    }

    #[test]
    fn the_first_bytes_of_what_is_no_text_are_kept() {
        // printf x | gzip -n | head -c 4 | xxd -p
        assert_eq!(read(99, 99, &[b"\x1f\x8b\x08\x00\x00"]).1.opening.as_deref(), Some("1f8b0800"));
        assert_eq!(read(99, 99, &[b"plain"]).1.opening, None, "text shows itself");
        let mut coded = Intake::new(9, 9);
        coded.take(b"{}");
        assert_eq!(coded.finish(None, true).opening.as_deref(), Some("7b7d"));
        assert_eq!(Intake::new(9, 9).finish(None, true).opening, None, "there is no first byte");
    }
}
