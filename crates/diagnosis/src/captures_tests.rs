//! The signature catalogue against answers of real servers (`catalogue/captures`, written by
//! `scripts/capture-signatures`), and against each entry's own text.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use landfall_evidence::{Body, Header, HttpResponse, HttpVersion, ReadOnce};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::catalogue::Catalogue;
use crate::signatures::{Meaning, Signature, SignatureHop, SignatureMatch};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Index {
    capture: Vec<Capture>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Capture {
    file: String,
    version: String,
    hop: Option<SignatureHop>,
    #[serde(default)]
    meanings: Vec<Meaning>,
    id: Option<String>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../catalogue/captures")
}

fn body(bytes: &[u8]) -> Body {
    let sha256 = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    let kept = bytes.get(..16 * 1024).unwrap_or(bytes);
    Body {
        byte_count: bytes.len() as u64,
        complete: true,
        cut: None,
        text: Some(String::from_utf8_lossy(kept).into_owned()),
        sha256,
        opening: None,
        simhash: None,
        document: None,
        decoded: None,
        read: ReadOnce::default(),
    }
}

/// An answer as the capture holds it.
fn read(path: &Path) -> HttpResponse {
    let bytes = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").expect("a head and a body");
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let status =
        lines.next().and_then(|l| l.split(' ').nth(1)).and_then(|s| s.parse().ok()).expect("a status");
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| Header { name: name.to_ascii_lowercase(), value: value.trim().to_owned() })
        .collect();
    HttpResponse {
        version: HttpVersion::H1,
        status,
        headers,
        body: body(&bytes[end + 4..]),
        redirect_to: None,
    }
}

#[test]
fn every_capture_is_read_as_what_wrote_it() {
    let catalogue = Catalogue::embedded();
    let index = std::fs::read_to_string(folder().join("index.toml")).expect("the index");
    let index: Index = toml::from_str(&index).expect("a well-formed index");
    assert!(index.capture.len() >= 100, "only {} captures", index.capture.len());
    let mut wrong = Vec::new();
    for capture in &index.capture {
        let response = read(&folder().join(&capture.file));
        let reading = catalogue.read_response(&response);
        let best = reading.best().filter(|m| m.weight_percent >= 60);
        let seen =
            best.map(|m| (m.signature.id.as_str(), m.signature.hop.name(), m.signature.meaning.name()));
        let fits = match (&capture.hop, best) {
            (None, None) => true,
            (None, Some(_)) | (Some(_), None) => false,
            (Some(hop), Some(best)) => {
                // Bytes that several share on purpose are read as a tie, which names the right one as well.
                let exact = best.signature.body_exact.as_ref();
                let same = |m: &&SignatureMatch<'_>| {
                    m.signature.id == best.signature.id
                        || (exact.is_some() && m.signature.body_exact.as_ref() == exact)
                };
                let group: Vec<&Signature> =
                    reading.writers.iter().filter(same).map(|m| m.signature).collect();
                group.iter().any(|s| s.hop == *hop && capture.meanings.contains(&s.meaning))
                    && capture.id.as_ref().is_none_or(|id| group.iter().any(|s| s.id == *id))
            }
        };
        if !fits {
            let want: Vec<&str> = capture.meanings.iter().map(|m| m.name()).collect();
            let hop = capture.hop.map_or("nobody", SignatureHop::name);
            wrong.push(format!(
                "{} ({}): must be {hop} {want:?} {:?}, is {seen:?}",
                capture.file, capture.version, capture.id
            ));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), index.capture.len(), wrong.join("\n"));
}

#[test]
fn every_capture_has_its_line_and_every_line_its_capture() {
    let index: Index =
        toml::from_str(&std::fs::read_to_string(folder().join("index.toml")).expect("the index"))
            .expect("well-formed");
    let mut files: BTreeMap<String, bool> = index.capture.iter().map(|c| (c.file.clone(), false)).collect();
    for server in std::fs::read_dir(folder()).expect("the folder").flatten().filter(|e| e.path().is_dir()) {
        for case in std::fs::read_dir(server.path()).expect("a server's folder").flatten() {
            let name =
                format!("{}/{}", server.file_name().to_string_lossy(), case.file_name().to_string_lossy());
            let listed = files.get_mut(&name).unwrap_or_else(|| panic!("{name} is not in index.toml"));
            *listed = true;
        }
    }
    let absent: Vec<&String> = files.iter().filter(|(_, there)| !**there).map(|(file, _)| file).collect();
    assert!(absent.is_empty(), "{absent:?}");
}

/// A text that a pattern finds. Anchors and word boundaries say where it is found and not what; they are taken away,
/// and the text stands alone on its line.
fn text_for(pattern: &str) -> String {
    use proptest::strategy::{Strategy as _, ValueTree as _};
    use proptest::test_runner::TestRunner;
    let (mut bare, mut escaped, mut class) = (String::new(), false, false);
    for c in pattern.chars() {
        match c {
            'b' if escaped && !class => {
                bare.pop();
            }
            '^' | '$' if !escaped && !class => {}
            _ => bare.push(c),
        }
        class = !escaped && (c == '[' || (class && c != ']'));
        escaped = c == '\\' && !escaped;
    }
    let strategy = proptest::string::string_regex(&bare)
        .unwrap_or_else(|e| panic!("{pattern}: no text can be made for it ({e})"));
    let mut runner = TestRunner::deterministic();
    let mut tree = strategy.new_tree(&mut runner).unwrap_or_else(|e| panic!("{pattern}: {e}"));
    // The shortest of what the generator gives: long repetitions would hide nothing and prove nothing.
    for _ in 0..200 {
        if !tree.simplify() {
            break;
        }
    }
    tree.current()
}

/// The plainest response that an entry asks for.
fn own_response(signature: &Signature) -> HttpResponse {
    let mut headers = Vec::new();
    for (name, test) in &signature.headers {
        let value = match test.strip_prefix('~') {
            _ if test == "*" => "1".to_owned(),
            Some(pattern) => text_for(pattern),
            None => test.clone(),
        };
        headers.push(Header { name: name.clone(), value });
    }
    let text = signature.body_exact.clone().unwrap_or_else(|| {
        let mut parts = signature.body_contains.clone();
        parts.extend(signature.body_regex.as_deref().map(text_for));
        // No page is written with a long s or a sign of Kelvin, which a pattern takes for the letters as well (Unicode's simple case
        // folding); the search of required texts knows the letters alone.
        parts.join("\n").replace('\u{17f}', "s").replace('\u{212a}', "k")
    });
    let status = signature.status.first().copied().unwrap_or(200);
    HttpResponse { version: HttpVersion::H1, status, headers, body: body(text.as_bytes()), redirect_to: None }
}

/// Entries that another one rightly beats on their own text, with the reason.
const BEATEN: &[(&str, &str)] = &[];

#[test]
fn every_entry_wins_on_its_own_text_or_loses_to_one_that_says_the_same() {
    let catalogue = Catalogue::embedded();
    let mut wrong = Vec::new();
    let mut used = Vec::new();
    for signature in catalogue.signatures() {
        let response = own_response(signature);
        let found = catalogue.matches(&response);
        let Some(own) = found.iter().find(|m| m.signature.id == signature.id) else {
            wrong.push(format!("{}: does not hold for its own text: {response:?}", signature.id));
            continue;
        };
        let marker = signature.meaning == Meaning::HopMarker;
        let best = found.iter().find(|m| (m.signature.meaning == Meaning::HopMarker) == marker);
        let Some(best) = best.filter(|best| !marker && best.signature.id != signature.id) else { continue };
        let same_bytes =
            own.signature.body_exact.is_some() && own.signature.body_exact == best.signature.body_exact;
        if best.signature.meaning == signature.meaning || same_bytes {
            continue;
        }
        match BEATEN.iter().find(|(id, _)| *id == signature.id) {
            Some((id, _)) => used.push(*id),
            None => wrong.push(format!(
                "{} ({}) loses to {} ({}) on its own text",
                signature.id,
                signature.meaning.name(),
                best.signature.id,
                best.signature.meaning.name()
            )),
        }
    }
    let unused: Vec<_> = BEATEN.iter().map(|(id, _)| *id).filter(|id| !used.contains(id)).collect();
    assert!(unused.is_empty(), "no longer beaten: {unused:?}");
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
}

/// Matching is fast because few entries are looked at: those of the status whose telling header is there.
#[test]
fn a_response_meets_few_entries() {
    let catalogue = Catalogue::embedded();
    let index = std::fs::read_to_string(folder().join("index.toml")).expect("the index");
    let index: Index = toml::from_str(&index).expect("well-formed");
    let mut worst = 0;
    let mut sum = 0;
    for capture in &index.capture {
        let looked_at = catalogue.signatures_compared(&read(&folder().join(&capture.file)));
        worst = worst.max(looked_at);
        sum += looked_at;
    }
    let mean = sum / index.capture.len();
    let all = catalogue.signatures().count();
    assert!(worst * 3 <= all && mean * 4 <= all, "{worst} at most, {mean} on average, of {all}");
}
