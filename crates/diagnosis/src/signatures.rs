//! Which hop wrote a response, and what it says.
//!
//! The rules of matching and weighing are those of the header of `signatures.toml`. In short: all keys that an entry
//! gives must hold; a router's own reason header beats a body, a body beats other headers, and those beat a bare
//! status; among equals the innermost hop wrote the answer; markers only say which hops were passed; entries with the
//! same bytes are reported as a tie, which a comparison with other answers has to break.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use aho_corasick::AhoCorasick;
use indexmap::IndexMap;
use landfall_evidence::HttpResponse;
use regex::{Regex, RegexBuilder};
use serde::Deserialize;

use crate::catalogue::{Catalogue, CatalogueError};
use crate::lines::required::required;

const FILE: &str = "signatures.toml";

/// Headers in which a router itself says why it answers; they beat any body.
const REASON_HEADERS: &[&str] = &[
    "cf-mitigated",
    "x-amzn-errortype",
    "x-azure-externalerror",
    "x-cf-routererror",
    "x-do-failure-code",
    "x-railway-fallback",
    "x-render-routing",
    "x-vercel-error",
    "x-vercel-mitigated",
];

/// Above this many bytes a page may quote an error message without being one.
const SHORT_BODY_BYTE: u64 = 2048;

/// One fact of the catalogue: what a response of this form means.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// Stable id.
    pub id: String,
    /// The hop that writes it.
    pub hop: SignatureHop,
    /// Whose product it is.
    pub vendor: String,
    /// What it says.
    pub meaning: Meaning,
    /// Statuses that it comes with; empty means any.
    pub status: Vec<u16>,
    /// Headers that must be present: `*` for any value, `~` before a regular expression, else a part of the value.
    #[serde(default)]
    pub headers: IndexMap<String, String>,
    /// Strings that must all occur in the body, compared without regard to case.
    #[serde(default)]
    pub body_contains: Vec<String>,
    /// A regular expression for the body.
    pub body_regex: Option<String>,
    /// The whole body, byte for byte.
    pub body_exact: Option<String>,
    /// Weight of the entry alone, 0 to 1.
    pub confidence: f64,
    /// Where this is known from.
    pub source: String,
    /// What to make of it.
    pub note: String,
    #[serde(skip)]
    compiled: OnceLock<Compiled>,
}

/// The hop that writes a response, outermost first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignatureHop {
    /// CDN or WAF.
    Edge,
    /// The hosting platform's router.
    Platform,
    /// A load balancer.
    Balancer,
    /// A web server.
    Server,
    /// The application's framework.
    Framework,
    /// The language runtime or application server.
    Runtime,
}

impl SignatureHop {
    /// Its name in the catalogue.
    pub fn name(self) -> &'static str {
        match self {
            Self::Edge => "edge",
            Self::Platform => "platform",
            Self::Balancer => "balancer",
            Self::Server => "server",
            Self::Framework => "framework",
            Self::Runtime => "runtime",
        }
    }

    /// Whether an answer of this hop shows that the application's own process was reached.
    pub fn is_application(self) -> bool {
        matches!(self, Self::Framework | Self::Runtime)
    }
}

macro_rules! meanings {
    ($($variant:ident $name:literal $doc:literal,)*) => {
        /// What a response says; the closed vocabulary of the catalogue.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Meaning { $(#[doc = $doc] $variant,)* }

        impl Meaning {
            /// Its name in the catalogue.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The meaning of a name.
            pub(crate) fn parse(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

meanings! {
    NoDeployment "no-deployment" "The platform has nothing deployed for this name.",
    UnknownHost "unknown-host" "This hop has no site for the Host it received.",
    HostRejected "host-rejected" "The application refuses this Host.",
    AppStarting "app-starting" "The application is being booted or woken.",
    AppCrashed "app-crashed" "The deployment's process does not answer or has exited.",
    AppSuspended "app-suspended" "Stopped, paused, disabled, out of quota or unpaid.",
    AppError "app-error" "The application ran and raised an error.",
    DebugMode "debug-mode" "A development error page is exposed.",
    Maintenance "maintenance" "A deliberate maintenance page.",
    NoHealthyUpstream "no-healthy-upstream" "The balancer has a route but no usable backend.",
    OriginUnreachable "origin-unreachable" "The hop could not connect to the next one.",
    OriginTimeout "origin-timeout" "The next hop did not answer in time.",
    OriginBadResponse "origin-bad-response" "The next hop answered malformed, empty or cut off.",
    OriginTlsFailure "origin-tls-failure" "TLS between two hops on the server side failed.",
    OriginDnsFailure "origin-dns-failure" "The hop could not resolve the next one's name.",
    PathNotFound "path-not-found" "The right site answered: it has no such path.",
    MethodNotAllowed "method-not-allowed" "The right site answered: not with this method.",
    BadRequest "bad-request" "The request was malformed or failed validation.",
    RequestTooLarge "request-too-large" "Body, headers or URL over this hop's limit.",
    ProtocolMismatch "protocol-mismatch" "Plain HTTP spoken to a TLS port, or the reverse.",
    AuthRequired "auth-required" "Credentials missing, wrong or not sufficient.",
    Refused "refused" "A plain 403: not served, and no login is asked for.",
    RateLimited "rate-limited" "Throttled.",
    WafBlocked "waf-blocked" "A security rule refused the request.",
    WafChallenge "waf-challenge" "A browser challenge stands before the site.",
    DefaultPage "default-page" "A placeholder is served in place of the application.",
    EdgeError "edge-error" "A fault inside the edge or platform itself.",
    TakeoverRisk "takeover-risk" "The name points at a service where nobody holds it.",
    HopMarker "hop-marker" "Identifies a hop on the way; says nothing of success or failure.",
}

#[derive(Debug)]
struct Compiled {
    headers: Vec<(String, HeaderTest)>,
    body: Option<Regex>,
}

#[derive(Debug)]
enum HeaderTest {
    Present,
    Pattern(Regex),
    Part(String),
}

impl Signature {
    fn compile(&self) -> Result<Compiled, String> {
        let pattern = |text: &str, ignore_case: bool| {
            RegexBuilder::new(text)
                .case_insensitive(ignore_case)
                .size_limit(1 << 20)
                .build()
                .map_err(|e| e.to_string())
        };
        let mut headers = Vec::with_capacity(self.headers.len());
        for (name, value) in &self.headers {
            let test = match value.strip_prefix('~') {
                _ if value == "*" => HeaderTest::Present,
                Some(text) => HeaderTest::Pattern(pattern(text, true)?),
                None => HeaderTest::Part(value.to_ascii_lowercase()),
            };
            headers.push((name.clone(), test));
        }
        Ok(Compiled {
            headers,
            body: self.body_regex.as_deref().map(|text| pattern(text, false)).transpose()?,
        })
    }

    fn compiled(&self) -> &Compiled {
        self.compiled.get_or_init(|| {
            // A pattern that does not compile can only come from a file that the tests have not seen. Such an entry
            // matches nothing, since a `Present` test on a header without a name never holds.
            self.compile().unwrap_or_else(|_| Compiled {
                headers: vec![(String::new(), HeaderTest::Present)],
                body: None,
            })
        })
    }

    /// Whether all that the entry asks for is in the response; `parts` are its `body_contains` in [`BodyParts`].
    fn holds(&self, response: &Prepared<'_>, asked: &Asked) -> bool {
        let compiled = self.compiled();
        let header_holds = |(name, test): &(String, HeaderTest)| {
            response.response.headers.iter().filter(|h| &h.name == name).any(|h| match test {
                HeaderTest::Present => true,
                HeaderTest::Pattern(pattern) => pattern.is_match(&h.value),
                HeaderTest::Part(part) => h.value.to_ascii_lowercase().contains(part.as_str()),
            })
        };
        if !compiled.headers.iter().all(header_holds) {
            return false;
        }
        if let Some(exact) = &self.body_exact
            && (response.text != Some(exact.as_str())
                || response.response.body.byte_count != exact.len() as u64)
        {
            return false;
        }
        if !asked.all.is_empty() && !asked.all.iter().all(|part| response.parts().contains(part)) {
            return false;
        }
        if !asked.any.is_empty() && !asked.any.iter().any(|part| response.parts().contains(part)) {
            return false;
        }
        compiled.body.as_ref().is_none_or(|pattern| response.text.is_some_and(|text| pattern.is_match(text)))
    }

    /// That a body is empty tells nobody from anybody.
    fn reads_body(&self) -> bool {
        self.body_exact.as_ref().is_some_and(|exact| !exact.is_empty())
            || self.body_regex.is_some()
            || !self.body_contains.is_empty()
    }

    /// What the entry rests on, best last: a status, headers, a body, a router's own reason.
    fn tier(&self) -> u8 {
        if self.headers.keys().any(|name| REASON_HEADERS.contains(&name.as_str())) {
            3
        } else if self.reads_body() {
            2
        } else {
            u8::from(!self.headers.is_empty())
        }
    }

    fn condition_count(&self) -> usize {
        let body = usize::from(self.body_exact.is_some()) * 2
            + usize::from(self.body_regex.is_some())
            + self.body_contains.len();
        self.headers.len() + body + usize::from(!self.status.is_empty())
    }
}

/// A shorter text stands in so many bodies that looking for it would spare nothing.
const SHORTEST_TEXT: usize = 5;

/// The parts of bodies that all entries ask for, found in one pass: several hundred searches of a large body one after
/// the other take longer than the rest of a diagnosis.
#[derive(Debug)]
pub(crate) struct BodyParts {
    search: AhoCorasick,
    of_entry: Vec<Asked>,
}

/// What one entry asks for among the patterns of the search.
#[derive(Debug)]
struct Asked {
    /// All of these.
    all: Vec<usize>,
    /// One of these, without which its regular expression finds nothing. Empty where nothing long enough is required.
    any: Vec<usize>,
}

impl BodyParts {
    fn new(all: &[Signature]) -> Self {
        let mut patterns: IndexMap<Vec<u8>, ()> = IndexMap::new();
        let mut place = |part: Vec<u8>| patterns.insert_full(part, ()).0;
        let mut asked = |entry: &Signature| {
            let all = entry.body_contains.iter().map(|part| part.to_ascii_lowercase().into_bytes());
            let all = all.map(&mut place).collect();
            // Letters without regard to case are those of ASCII here; two letters of Unicode that fold to them are in no page.
            let texts = entry.body_regex.as_deref().map(required).unwrap_or_default();
            let long = texts.iter().all(|text| text.len() >= SHORTEST_TEXT);
            Asked { all, any: if long { texts.into_iter().map(&mut place).collect() } else { Vec::new() } }
        };
        let of_entry = all.iter().map(&mut asked).collect();
        let search = AhoCorasick::builder().ascii_case_insensitive(true).build(patterns.keys());
        Self {
            search: search
                .expect("catalogues are bounded where they are read, far below what a search can hold"),
            of_entry,
        }
    }
}

/// A response made ready for many comparisons.
struct Prepared<'a> {
    response: &'a HttpResponse,
    text: Option<&'a str>,
    search: &'a AhoCorasick,
    parts: OnceLock<BTreeSet<usize>>,
}

impl Prepared<'_> {
    /// The patterns of [`BodyParts`] that occur in the body.
    fn parts(&self) -> &BTreeSet<usize> {
        self.parts.get_or_init(|| {
            let found = self.text.into_iter().flat_map(|text| self.search.find_overlapping_iter(text));
            found.map(|found| found.pattern().as_usize()).collect()
        })
    }
}

/// An entry that holds for a response.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SignatureMatch<'a> {
    /// The entry.
    pub(crate) signature: &'a Signature,
    /// Its weight here, 0 to 100.
    pub(crate) weight_percent: u8,
    /// What it rests on: 3 a router's own reason header, 2 a body, 1 other headers, 0 a status.
    pub(crate) tier: u8,
}

/// Everything that the catalogue says of one response.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reading<'a> {
    /// Who may have written it, most likely first; markers left out.
    pub(crate) writers: Vec<SignatureMatch<'a>>,
    /// Hops that it passed, outermost first.
    pub(crate) markers: Vec<SignatureMatch<'a>>,
}

impl<'a> Reading<'a> {
    /// The most likely writer.
    pub(crate) fn best(&self) -> Option<SignatureMatch<'a>> {
        self.writers.first().copied()
    }

    /// Entries for other hops that ask for the very bytes that the best entry asks for. While there are any, the
    /// response alone does not say who wrote it.
    pub(crate) fn same_bytes(&self) -> Vec<SignatureMatch<'a>> {
        let Some(best) = self.best() else { return Vec::new() };
        let Some(exact) = best.signature.body_exact.as_deref() else { return Vec::new() };
        let rival = |m: &&SignatureMatch<'a>| {
            m.signature.hop != best.signature.hop && m.signature.body_exact.as_deref() == Some(exact)
        };
        self.writers.iter().filter(rival).copied().collect()
    }
}

/// All signatures, indexed by status and by the header that they ask for, so that one response meets few of them.
#[derive(Debug, Default)]
pub(crate) struct SignatureIndex {
    all: Vec<Signature>,
    by_status: BTreeMap<u16, Shelf>,
    any_status: Shelf,
    by_id: BTreeMap<String, usize>,
    parts: OnceLock<BodyParts>,
}

/// Entries of one status: those that ask for a header stand under its name, the rarest of theirs.
#[derive(Debug, Default)]
struct Shelf {
    by_header: BTreeMap<String, Vec<usize>>,
    bare: Vec<usize>,
}

impl Shelf {
    fn put(&mut self, position: usize, telling: Option<&str>) {
        match telling {
            Some(name) => self.by_header.entry(name.to_owned()).or_default().push(position),
            None => self.bare.push(position),
        }
    }

    /// The entries that a response with these header names can meet.
    fn candidates<'s>(&'s self, names: &'s BTreeSet<&str>) -> impl Iterator<Item = usize> + 's {
        let with = names.iter().filter_map(|name| self.by_header.get(*name)).flatten();
        self.bare.iter().chain(with).copied()
    }
}

impl SignatureIndex {
    /// Reads `signatures.toml`; mistakes go to `errors`.
    pub(crate) fn read(text: &str, errors: &mut Vec<CatalogueError>) -> Self {
        #[derive(Deserialize)]
        struct File {
            signature: Vec<Signature>,
        }
        let all = match toml::from_str::<File>(text) {
            Ok(file) => file.signature,
            Err(error) => {
                errors.push(CatalogueError::new(FILE, error.to_string()));
                return Self::default();
            }
        };
        let mut index = Self::default();
        for (position, signature) in all.iter().enumerate() {
            if index.by_id.insert(signature.id.clone(), position).is_some() {
                errors.push(CatalogueError::new(FILE, format!("the id {:?} is used twice", signature.id)));
            }
            if !(0.0..=1.0).contains(&signature.confidence) {
                errors.push(CatalogueError::new(
                    FILE,
                    format!("{}: confidence must lie from 0 to 1", signature.id),
                ));
            }
        }
        // Of the headers that an entry asks for, the one that the fewest entries ask for tells the most.
        let mut asked: BTreeMap<&str, usize> = BTreeMap::new();
        for name in all.iter().flat_map(|signature| signature.headers.keys()) {
            *asked.entry(name).or_default() += 1;
        }
        for (position, signature) in all.iter().enumerate() {
            let names = signature.headers.keys().map(String::as_str);
            let telling = names.min_by_key(|name| (asked.get(name).copied().unwrap_or_default(), *name));
            if signature.status.is_empty() {
                index.any_status.put(position, telling);
            }
            for status in &signature.status {
                index.by_status.entry(*status).or_default().put(position, telling);
            }
        }
        index.all = all;
        index
    }

    /// The search of bodies, built when it is first needed.
    pub(crate) fn ready(&self) -> &BodyParts {
        self.parts.get_or_init(|| BodyParts::new(&self.all))
    }

    pub(crate) fn by_id(&self, id: &str) -> Option<&Signature> {
        self.by_id.get(id).map(|position| &self.all[*position])
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Signature> {
        self.all.iter()
    }
}

impl Catalogue {
    /// All entries that hold for a response: writers first, most likely first, then the markers.
    pub(crate) fn matches(&self, response: &HttpResponse) -> Vec<SignatureMatch<'_>> {
        let index = &self.signatures;
        let parts = index.ready();
        let text = response.body.text.as_deref();
        let prepared = Prepared { response, text, search: &parts.search, parts: OnceLock::new() };
        let mut found: Vec<SignatureMatch<'_>> = self
            .candidates(response)
            .filter(|position| index.all[*position].holds(&prepared, &parts.of_entry[*position]))
            .map(|position| &index.all[position])
            .map(|signature| SignatureMatch {
                signature,
                weight_percent: weight(signature, response),
                tier: signature.tier(),
            })
            .collect();
        found.sort_by_key(|m| {
            let marker = m.signature.meaning == Meaning::HopMarker;
            let order = if marker { (0, 0) } else { (m.tier, m.weight_percent) };
            let depth = if marker { m.signature.hop as u8 } else { u8::MAX - m.signature.hop as u8 };
            (marker, Reverse(order), Reverse(m.signature.condition_count()), depth, m.signature.id.as_str())
        });
        found
    }

    /// The entries that are compared with a response, by their place: those of its status, or of any, whose telling
    /// header it has.
    fn candidates(&self, response: &HttpResponse) -> impl Iterator<Item = usize> {
        let index = &self.signatures;
        let names: BTreeSet<&str> = response.headers.iter().map(|header| header.name.as_str()).collect();
        let mut positions: Vec<usize> = index.any_status.candidates(&names).collect();
        if let Some(shelf) = index.by_status.get(&response.status) {
            positions.extend(shelf.candidates(&names));
        }
        positions.into_iter()
    }

    /// How many entries are compared with a response.
    #[cfg(test)]
    pub(crate) fn signatures_compared(&self, response: &HttpResponse) -> usize {
        self.candidates(response).count()
    }

    /// Who most likely wrote a response and what it says, with the weight of that, 0 to 100. `None` when no entry fits.
    pub fn most_likely(&self, response: &HttpResponse) -> Option<(&Signature, u8)> {
        self.read_response(response).best().map(|found| (found.signature, found.weight_percent))
    }

    /// What the catalogue says of one response, writers and markers apart.
    pub(crate) fn read_response(&self, response: &HttpResponse) -> Reading<'_> {
        let (mut markers, writers): (Vec<_>, Vec<_>) =
            self.matches(response).into_iter().partition(|m| m.signature.meaning == Meaning::HopMarker);
        markers.sort_by_key(|m| (m.signature.hop, Reverse(m.weight_percent), m.signature.id.as_str()));
        Reading { writers, markers }
    }
}

fn weight(signature: &Signature, response: &HttpResponse) -> u8 {
    let rests_on_words = signature.status.is_empty() && signature.headers.is_empty();
    let long_success = (200..300).contains(&response.status) && response.body.byte_count > SHORT_BODY_BYTE;
    let discount = if rests_on_words && long_success { 0.3 } else { 1.0 };
    // Confidence was checked to lie from 0 to 1 when the file was read, so the product fits.
    (signature.confidence * discount * 100.0).round() as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::response;

    fn best(response: &HttpResponse) -> Option<(&'static str, u8)> {
        Catalogue::embedded()
            .read_response(response)
            .best()
            .map(|m| (m.signature.id.as_str(), m.weight_percent))
    }

    #[test]
    fn every_pattern_compiles() {
        for signature in Catalogue::embedded().signatures() {
            if let Err(error) = signature.compile() {
                panic!("{}: {error}", signature.id);
            }
        }
    }

    #[test]
    fn a_platform_without_a_deployment_is_told_from_a_framework_by_the_way_passed() {
        let at_edge =
            response(404).header("content-type", "text/plain; charset=utf-8").header("via", "1.1 google");
        let at_edge = at_edge
            .header("server", "cloudflare")
            .header("cf-ray", "99efe9be3fc9322f-SEA")
            .body("Not Found")
            .build();
        let reading = Catalogue::embedded().read_response(&at_edge);
        assert_eq!(best(&at_edge), Some(("replit-google-not-found", 80)));
        assert!(
            reading.same_bytes().iter().any(|m| m.signature.id == "starlette-404"),
            "the tie is reported"
        );
        let markers: Vec<&str> = reading.markers.iter().map(|m| m.signature.id.as_str()).collect();
        assert!(
            markers.contains(&"cloudflare-marker") && markers.contains(&"google-cdn-marker"),
            "{markers:?}"
        );

        let plain =
            response(404).header("content-type", "text/plain; charset=utf-8").body("Not Found").build();
        assert_eq!(best(&plain), Some(("starlette-404", 60)));
    }

    #[test]
    fn a_reason_header_beats_a_body_and_a_body_beats_a_status() {
        let challenge = response(403).header("server", "cloudflare").header("cf-mitigated", "challenge");
        let challenge = challenge
            .header("content-type", "text/html")
            .body("<title>Attention Required! | Cloudflare</title>")
            .build();
        assert_eq!(best(&challenge), Some(("cloudflare-challenge", 99)));
        let nginx = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx/1.22.1</center>\r\n</body>\r\n</html>\r\n";
        let behind = response(502)
            .header("server", "cloudflare")
            .header("content-type", "text/html")
            .body(nginx)
            .build();
        assert_eq!(
            best(&behind),
            Some(("nginx-502", 95)),
            "the inner hop's page beats the edge's bare status"
        );
    }

    #[test]
    fn the_whole_body_means_the_whole_body() {
        let longer =
            response(404).header("content-type", "text/plain; charset=utf-8").body("Not Found\n").build();
        assert_ne!(best(&longer).map(|b| b.0), Some("starlette-404"));
    }

    #[test]
    fn a_long_good_page_that_quotes_an_error_is_not_that_error() {
        let quote = "Application error: a page about 'No such app' <title>No such app</title> herokucdn.com/error-pages/no-such-app.html";
        let page = format!("<html>{quote}{}</html>", "text ".repeat(1000));
        let long = response(200).header("content-type", "text/html").body(&page).build();
        for found in Catalogue::embedded().matches(&long) {
            assert!(
                found.weight_percent < 60
                    || !found.signature.status.is_empty()
                    || !found.signature.headers.is_empty(),
                "{}",
                found.signature.id
            );
        }
    }
}
