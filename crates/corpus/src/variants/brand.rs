//! The same page by another maker: proxies that say the same thing in other words, and 502 where another says 503.

use std::sync::LazyLock;

use landfall_evidence::{Evidence, Header, HttpResponse, Observed, Seen, Vantage};
use regex::Regex;
use sha2::{Digest, Sha256};

/// A proxy's page for a trouble behind it.
struct Page {
    /// Whose: `haproxy`.
    brand: &'static str,
    /// What it says; pages of one class can stand for each other.
    says: Says,
    status: u16,
    server: Option<&'static str>,
    content_type: Option<&'static str>,
    body: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Says {
    /// The next hop could not be used.
    NotReached,
    /// It did not answer in time.
    TimedOut,
}

/// Pages in their makers' own bytes: those of `catalogue/signatures.toml` (captured from the program, or quoted from its
/// source, as stands there), which a test below holds true.
const PAGES: &[Page] = &[
    Page {
        brand: "nginx",
        says: Says::NotReached,
        status: 502,
        server: Some("nginx"),
        content_type: Some("text/html"),
        body: "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n",
    },
    Page {
        brand: "caddy",
        says: Says::NotReached,
        status: 502,
        server: Some("Caddy"),
        content_type: None,
        body: "",
    },
    Page {
        brand: "traefik",
        says: Says::NotReached,
        status: 502,
        server: None,
        content_type: None,
        body: "Bad Gateway",
    },
    Page {
        brand: "nginx",
        says: Says::TimedOut,
        status: 504,
        server: Some("nginx"),
        content_type: Some("text/html"),
        body: "<html>\r\n<head><title>504 Gateway Time-out</title></head>\r\n<body>\r\n<center><h1>504 Gateway Time-out</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n",
    },
    Page {
        brand: "haproxy",
        says: Says::TimedOut,
        status: 504,
        server: None,
        content_type: Some("text/html"),
        body: "<html><body><h1>504 Gateway Time-out</h1>\nThe server didn't respond in time.\n</body></html>\n",
    },
    Page {
        brand: "traefik",
        says: Says::TimedOut,
        status: 504,
        server: None,
        content_type: None,
        body: "Gateway Timeout",
    },
];

/// nginx's own page, with or without a version.
static NGINX: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?s)<center><h1>(\d\d\d) [^<]*</h1></center>.*<hr><center>nginx(?:/[\d.]+)?(?: \([^)]*\))?</center>")
        .expect("a literal pattern")
});

/// The brand's name.
pub(super) fn name(at: usize) -> String {
    format!("{}-{}", PAGES[at].brand, PAGES[at].status)
}

/// Positions of pages that can stand in place of the recorded one.
pub(super) fn applicable(evidence: &Evidence) -> impl Iterator<Item = usize> {
    let recorded = recorded_page(evidence);
    (0..PAGES.len()).filter(move |at| {
        recorded.is_some_and(|page| page.says == PAGES[*at].says && page.brand != PAGES[*at].brand)
    })
}

/// The one trouble page that the edge of this evidence shows. `None` where it shows none, several, or another page of the
/// same brand or a log beside it, which would give the maker away.
fn recorded_page(evidence: &Evidence) -> Option<&'static Page> {
    // A log that was given is the proxy's own more often than not, and would speak of another maker than the page.
    if evidence.observations.iter().any(|observation| matches!(observation.seen, Seen::Log(_))) {
        return None;
    }
    let mut found: Option<&'static Page> = None;
    for (_, response) in edge_answers(evidence) {
        let page = page_of(response);
        let of_nginx = response.body.text.as_deref().is_some_and(|text| NGINX.is_match(text));
        match (page, found) {
            (Some(page), None) => found = Some(page),
            (Some(page), Some(before)) if std::ptr::eq(page, before) => {}
            (Some(_), Some(_)) => return None,
            (None, _) if of_nginx => return None,
            (None, _) => {}
        }
    }
    found
}

fn edge_answers(evidence: &Evidence) -> impl Iterator<Item = (Vantage, &HttpResponse)> {
    evidence
        .http()
        .filter(|(observation, _)| observation.vantage == Vantage::Edge)
        .filter_map(|(observation, seen)| Some((observation.vantage, seen.answer.present()?)))
}

fn page_of(response: &HttpResponse) -> Option<&'static Page> {
    let text = response.body.text.as_deref().unwrap_or_default();
    let server = response.header("server").unwrap_or_default();
    PAGES.iter().find(|page| {
        page.status == response.status
            && match page.brand {
                "nginx" => NGINX.is_match(text),
                "caddy" => server == "Caddy" && response.body.byte_count == 0,
                _ => text == page.body,
            }
    })
}

/// The evidence with the recorded page by another maker. `None` where there is none to replace.
pub(super) fn apply(evidence: &Evidence, at: usize) -> Option<Evidence> {
    let before = recorded_page(evidence)?;
    let after = &PAGES[at];
    let mut other = evidence.clone();
    for response in edge_answers_mut(&mut other) {
        let was_trouble = page_of(response).is_some_and(|page| std::ptr::eq(page, before));
        let server = response.header("server").map(str::to_ascii_lowercase);
        let of_brand = server
            .is_some_and(|value| before.server.is_some_and(|s| value.starts_with(&s.to_ascii_lowercase())));
        if was_trouble || of_brand {
            set(response, "server", after.server);
        }
        // A HEAD has the status and no page.
        if was_trouble || (of_brand && response.status == before.status) {
            response.status = after.status;
            set(response, "content-type", after.content_type);
        }
        if was_trouble {
            set_body(response, after.body);
        }
    }
    Some(other)
}

/// 503 where the recording has 502, and the reverse, with the words that go with it. `None` where it has neither.
pub(super) fn status(evidence: &Evidence) -> Option<Evidence> {
    let mut other = evidence.clone();
    let mut changed = false;
    for observation in
        other.observations.iter_mut().filter(|o| matches!(o.vantage, Vantage::Edge | Vantage::Origin))
    {
        let Seen::Http(seen) = &mut observation.seen else { continue };
        let Observed::Present(response) = &mut seen.answer else { continue };
        let (to, from_words, to_words) = match response.status {
            502 => (503, "502 Bad Gateway", "503 Service Temporarily Unavailable"),
            503 => (502, "503 Service Temporarily Unavailable", "502 Bad Gateway"),
            _ => continue,
        };
        response.status = to;
        changed = true;
        if let Some(text) = response.body.text.clone().filter(|text| text.contains(from_words)) {
            set_body(response, &text.replace(from_words, to_words));
        }
    }
    changed.then_some(other)
}

fn edge_answers_mut(evidence: &mut Evidence) -> impl Iterator<Item = &mut HttpResponse> {
    evidence.observations.iter_mut().filter(|o| o.vantage == Vantage::Edge).filter_map(|o| {
        match &mut o.seen {
            Seen::Http(seen) => match &mut seen.answer {
                Observed::Present(response) => Some(response),
                _ => None,
            },
            _ => None,
        }
    })
}

fn set(response: &mut HttpResponse, name: &str, value: Option<&str>) {
    response.headers.retain(|h| h.name != name);
    if let Some(value) = value {
        response.headers.push(Header { name: name.to_owned(), value: value.to_owned() });
    }
}

fn set_body(response: &mut HttpResponse, text: &str) {
    response.body.byte_count = text.len() as u64;
    response.body.text = Some(text.to_owned());
    response.body.sha256 = Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    let length = text.len().to_string();
    for header in response.headers.iter_mut().filter(|h| h.name == "content-length") {
        header.value.clone_from(&length);
    }
}

#[cfg(test)]
mod tests {
    use landfall_diagnosis::{Catalogue, Meaning};

    use super::super::testkit;
    use super::*;

    fn with_page(page: &Page) -> Evidence {
        let mut evidence = testkit::case().evidence;
        for response in edge_answers_mut(&mut evidence) {
            response.status = page.status;
            set(response, "server", page.server);
            set(response, "content-type", page.content_type);
            set_body(response, page.body);
        }
        evidence
    }

    #[test]
    fn the_pages_are_those_of_the_catalogue() {
        for page in PAGES {
            let id = format!("{}-{}", page.brand, page.status);
            let signature =
                Catalogue::embedded().signature(&id).unwrap_or_else(|| panic!("no signature {id}"));
            let meaning = match page.says {
                Says::NotReached => Meaning::OriginUnreachable,
                Says::TimedOut => Meaning::OriginTimeout,
            };
            assert_eq!(signature.meaning, meaning, "{id}");
            assert!(signature.status.contains(&page.status), "{id}");
            if let Some(exact) = &signature.body_exact {
                assert_eq!(exact, page.body, "{id}");
            }
            if let Some(pattern) = &signature.body_regex {
                assert!(Regex::new(pattern).expect("a pattern").is_match(page.body), "{id}");
            }
        }
    }

    #[test]
    fn a_page_is_replaced_by_each_other_that_says_the_same() {
        for (at, page) in PAGES.iter().enumerate() {
            let evidence = with_page(page);
            let others: Vec<usize> = applicable(&evidence).collect();
            assert_eq!(others.len(), 2, "{}", name(at));
            for other in others {
                let changed = apply(&evidence, other).expect("it applies");
                let (_, response) = edge_answers(&changed).next().expect("an answer");
                assert_eq!(response.status, PAGES[other].status);
                assert_eq!(response.body.text.as_deref(), Some(PAGES[other].body));
                assert_eq!(response.header("server"), PAGES[other].server);
                assert!(page_of(response).is_some_and(|p| p.brand == PAGES[other].brand));
            }
        }
    }

    #[test]
    fn a_second_page_of_the_maker_keeps_the_recording_as_it_is() {
        let mut evidence = with_page(&PAGES[0]);
        let first = edge_answers_mut(&mut evidence).next().expect("an answer");
        first.status = 404;
        set_body(first, &PAGES[0].body.replace("502 Bad Gateway", "404 Not Found"));
        assert_eq!(applicable(&evidence).count(), 0);
        assert_eq!(applicable(&testkit::case().evidence).count(), 0, "no proxy's page at all");
    }

    #[test]
    fn status_siblings_change_status_and_words() {
        let other = status(&with_page(&PAGES[0])).expect("502 is there");
        let (_, response) = edge_answers(&other).next().expect("an answer");
        assert_eq!(response.status, 503);
        assert!(
            response
                .body
                .text
                .as_deref()
                .is_some_and(|t| t.contains("<h1>503 Service Temporarily Unavailable</h1>"))
        );
        let mut back = status(&other).expect("503 is there");
        assert_eq!(edge_answers_mut(&mut back).next().map(|r| r.status), Some(502));
    }
}
