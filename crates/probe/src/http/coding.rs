//! Content codings undone (RFC 9110, section 8.4), so that it is known whether they can be.
//!
//! A proxy that names a coding which it does not apply, applies it twice, or cuts the coded bytes breaks every client,
//! and neither status nor headers show it. The bytes that come out are counted and digested and never kept, and they are
//! bounded, because a few bytes can name a great many (a "bomb").

use std::fmt;
use std::io::{self, Read};

use landfall_evidence::Decoded;
use sha2::{Digest, Sha256};

use super::body::hexadecimal;

/// Bytes that may come out: sixteen times the bound on the body itself, above what text compresses to.
pub(crate) const OUT_BYTE: u64 = 16 * 1024 * 1024;

/// Bytes that are taken out at a time.
const BUFFER_BYTE: usize = 16 * 1024;

/// The window that a client may be asked to hold for `zstd` content: 8 MB (RFC 9659, section 3). Browsers refuse more.
const ZSTD_WINDOW_BYTE: u64 = 8 * 1024 * 1024;

/// Undoes the coding that a response names. `None` when it names none; a coding that is not known is told as a problem of
/// ours and not of the bytes.
pub(crate) fn decoded(named: &str, bytes: &[u8], whole: bool) -> Option<Decoded> {
    let codings: Vec<String> = named
        .split(',')
        .map(|coding| coding.trim().to_ascii_lowercase())
        .filter(|coding| !coding.is_empty() && coding != "identity")
        .collect();
    let coding = match codings.as_slice() {
        [] => return None,
        [one] => one.clone(),
        // Nobody means to apply two, and clients differ in what they make of them.
        _ => codings.join(", "),
    };
    let mut out = Out { count: 0, digest: Sha256::new() };
    let ended = match coding.as_str() {
        "gzip" | "x-gzip" => out.drain(flate2::bufread::MultiGzDecoder::new(bytes)),
        "deflate" => out.drain(flate2::bufread::ZlibDecoder::new(bytes)),
        "br" => out.drain(brotli_decompressor::Decompressor::new(bytes, 4096)),
        "zstd" => zstd(&mut out, bytes),
        _ => Err(Trouble::Unknown),
    };
    let (problem, broken) = match ended {
        Ok(()) => (None, false),
        // What was cut at our own bound, or on the way, says nothing of the coding.
        Err(Trouble::Broken(_)) if !whole => (Some("the coded body is not whole".to_owned()), false),
        Err(trouble) => {
            (Some(trouble.to_string()), matches!(trouble, Trouble::Broken(_) | Trouble::Window(_)))
        }
    };
    Some(Decoded {
        coding,
        byte_count: out.count,
        sha256: hexadecimal(&out.digest.finalize()),
        problem,
        broken,
    })
}

/// Undoes the coding that the first byte chooses of all that follows it. For tests and fuzzing: whatever the bytes are, it
/// returns, and no more comes out than the bound.
pub fn undo_any_coding(bytes: &[u8]) {
    let Some((choice, body)) = bytes.split_first() else { return };
    let named = ["gzip", "deflate", "br", "zstd"][usize::from(choice % 4)];
    let out = decoded(named, body, true).expect("a coding is named");
    assert!(out.byte_count <= OUT_BYTE + BUFFER_BYTE as u64, "{} bytes came out", out.byte_count);
}

enum Trouble {
    Broken(String),
    Window(u64),
    Bound,
    Unknown,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken(why) => write!(f, "the bytes are not of this coding: {why}"),
            Self::Window(byte) => {
                write!(f, "it needs a window of {byte} bytes, and clients hold {ZSTD_WINDOW_BYTE} (RFC 9659)")
            }
            Self::Bound => write!(f, "more than our bound of {OUT_BYTE} bytes come out"),
            Self::Unknown => f.write_str("this coding is not known here"),
        }
    }
}

struct Out {
    count: u64,
    digest: Sha256,
}

impl Out {
    fn drain(&mut self, mut from: impl Read) -> Result<(), Trouble> {
        let mut buffer = vec![0; BUFFER_BYTE];
        loop {
            match from.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(n) => {
                    self.digest.update(&buffer[..n]);
                    self.count += n as u64;
                    if self.count > OUT_BYTE {
                        return Err(Trouble::Bound);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Trouble::Broken(error.to_string())),
            }
        }
    }
}

/// One or more frames (RFC 8878, section 3).
fn zstd(out: &mut Out, bytes: &[u8]) -> Result<(), Trouble> {
    let mut rest = bytes;
    if rest.is_empty() {
        return Err(Trouble::Broken("there is nothing".into()));
    }
    while !rest.is_empty() {
        if let Some(after) = skippable(rest) {
            rest = after;
            continue;
        }
        let window = window_byte(rest).ok_or_else(|| Trouble::Broken("no frame begins here".into()))?;
        if window > ZSTD_WINDOW_BYTE {
            return Err(Trouble::Window(window));
        }
        let mut frame = ruzstd::decoding::StreamingDecoder::new(&mut rest)
            .map_err(|error| Trouble::Broken(error.to_string()))?;
        out.drain(&mut frame)?;
    }
    Ok(())
}

/// What follows a skippable frame (RFC 8878, section 3.1.2), when one begins here.
fn skippable(bytes: &[u8]) -> Option<&[u8]> {
    let (magic, rest) = bytes.split_first_chunk::<4>()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let is_one = u32::from_le_bytes(*magic) & 0xffff_fff0 == 0x184d_2a50;
    is_one.then(|| rest.get(u32::from_le_bytes(*length) as usize..).unwrap_or_default())
}

/// The window that a frame needs, in bytes (RFC 8878, section 3.1.1.1). `None` when no frame begins here.
fn window_byte(bytes: &[u8]) -> Option<u64> {
    let rest = bytes.strip_prefix(&[0x28, 0xb5, 0x2f, 0xfd])?;
    let (descriptor, rest) = rest.split_first()?;
    if descriptor & 0b10_0000 == 0 {
        let window = *rest.first()?;
        let base = 1_u64 << (10 + (window >> 3));
        return Some(base + base / 8 * u64::from(window & 7));
    }
    // With a single segment the window is the content, whose size stands after the dictionary's id.
    let dictionary = [0, 1, 2, 4][usize::from(descriptor & 3)];
    let size = rest.get(dictionary..)?;
    Some(match descriptor >> 6 {
        0 => u64::from(*size.first()?),
        1 => u64::from(u16::from_le_bytes(*size.first_chunk()?)) + 256,
        2 => u64::from(u32::from_le_bytes(*size.first_chunk()?)),
        _ => u64::from_le_bytes(*size.first_chunk()?),
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    /// `printf hello | zstd --no-check | xxd -p`
    const ZSTD: &[u8] = b"\x28\xb5\x2f\xfd\x00\x58\x29\x00\x00hello";
    /// `printf hello | brotli | xxd -p`
    const BROTLI: &[u8] = b"\x0b\x02\x80hello\x03";
    /// `printf hello | sha256sum`
    const HELLO: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        out.write_all(bytes).expect("in memory");
        out.finish().expect("in memory")
    }

    fn of(coding: &str, bytes: &[u8]) -> Decoded {
        decoded(coding, bytes, true).expect("a coding is named")
    }

    #[test]
    fn what_is_coded_comes_out() {
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        zlib.write_all(b"hello").expect("in memory");
        let zlib = zlib.finish().expect("in memory");
        let gzip = gzip(b"hello");
        for (coding, bytes) in
            [("gzip", &gzip[..]), (" X-Gzip ", &gzip), ("deflate", &zlib), ("br", BROTLI), ("zstd", ZSTD)]
        {
            let out = of(coding, bytes);
            assert_eq!(
                (out.byte_count, out.problem.as_deref(), out.broken),
                (5, None, false),
                "{coding}: {out:?}"
            );
            assert_eq!(out.sha256, HELLO, "{coding}");
        }
        let skipped = [&b"\x50\x2a\x4d\x18\x02\x00\x00\x00xx"[..], ZSTD, ZSTD].concat();
        assert_eq!(of("zstd", &skipped).byte_count, 10, "two frames, and one that is passed over");
        assert_eq!(decoded("identity", b"x", true), None);
        assert_eq!(decoded("", b"x", true), None);
    }

    #[test]
    fn what_is_not_of_the_coding_is_broken_and_what_we_do_not_know_is_not() {
        for coding in ["gzip", "deflate", "br", "zstd"] {
            let out = of(coding, b"{\"status\": \"ok\"}");
            assert!(out.broken && out.problem.is_some(), "{coding}: {out:?}");
            // An empty body under a coding is no stream of it either, but brotli's library takes nothing for nothing.
            assert!(coding == "br" || coding == "gzip" || of(coding, b"").broken, "{coding}");
        }
        let short = &gzip(b"hello")[..12];
        assert!(of("gzip", short).broken);
        let cut = decoded("gzip", short, false).expect("named");
        assert!(!cut.broken && cut.problem.is_some(), "what was cut on the way is not the coding's fault");
        for unknown in ["compress", "gzip, br", "x-own"] {
            let out = of(unknown, b"x");
            assert!(!out.broken && out.problem.is_some_and(|p| p.contains("not known")), "{unknown}");
        }
    }

    #[test]
    fn what_fuzzing_and_hostile_servers_sent_is_undone_or_refused() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/coding");
        let mut count = 0;
        for entry in std::fs::read_dir(&folder).expect("the corpus is part of the repository") {
            undo_any_coding(&std::fs::read(entry.expect("readable").path()).expect("readable"));
            count += 1;
        }
        assert!(count >= 20, "only {count} inputs in {}", folder.display());
    }

    #[test]
    fn a_bomb_ends_at_the_bound() {
        let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        for _ in 0..40 {
            bomb.write_all(&vec![0; 1024 * 1024]).expect("in memory");
        }
        let bomb = bomb.finish().expect("in memory");
        let out = of("gzip", &bomb);
        assert!(out.byte_count <= OUT_BYTE + 16 * 1024, "{out:?}");
        assert!(!out.broken && out.problem.is_some_and(|p| p.contains("bound")));
        // A frame of one byte repeated (RFC 8878, section 3.1.1.2.2) with a window of 64 MiB: a client would not hold it.
        let wide = b"\x28\xb5\x2f\xfd\x00\x80\x03\x00\x10\x00\x00";
        assert!(of("zstd", wide).problem.is_some_and(|p| p.contains("window of 67108864")));
    }
}
