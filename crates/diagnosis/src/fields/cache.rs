//! Whether an answer came from a cache, by the fields in which caches say so.
//!
//! `Cache-Status` (RFC 9211) has a meaning that all caches share, so where it is there it has the last word. The vendors'
//! own fields come next, and last `Age`, which only a cache writes (RFC 9111, section 5.1).

use landfall_evidence::HttpResponse;

use super::structured::{Bare, list};

/// The fields that are read, in the order in which they count.
///
/// After the vendors with words of their own: Bunny (`cdn-cache`), Sucuri, LiteSpeed and QUIC.cloud, Kinsta, the names that
/// people give to nginx's `$upstream_cache_status`, and Akamai's and SiteGround's.
pub(super) const FIELDS: &[&str] = &[
    "cache-status",
    "cf-cache-status",
    "x-vercel-cache",
    "x-cache",
    "x-cache-status",
    "cdn-cache",
    "x-cdn-cache-status",
    "x-edge-cache-status",
    "x-sucuri-cache",
    "x-litespeed-cache",
    "x-qc-cache",
    "x-kinsta-cache",
    "x-proxy-cache",
    "x-nginx-cache",
    "x-fastcgi-cache",
    "x-srcache-fetch-status",
    "age",
];

/// What a cache did with the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheWord {
    /// It answered from a stored copy.
    Stored,
    /// It asked the next hop and may keep the answer.
    Asked,
    /// It passed the request on and does not keep such answers.
    Passed,
}

/// What was done, with the field that says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheReading {
    /// What was done.
    pub word: CacheWord,
    /// The field with its value: `cf-cache-status: HIT`.
    pub by: String,
    /// The copy's age in seconds, when an `Age` field gives one.
    pub age_s: Option<u64>,
}

/// For how long a cache has kept the answer, in seconds (RFC 9111, section 5.1).
pub fn age_s(response: &HttpResponse) -> Option<u64> {
    response.header("age")?.trim().parse().ok()
}

impl CacheReading {
    /// Reads a response. `None` when no field says anything of a cache.
    pub fn of_response(response: &HttpResponse) -> Option<Self> {
        Self::of(response.headers.iter().map(|h| (h.name.as_str(), h.value.as_str())))
    }

    /// Reads fields, names in lower case.
    pub fn of<'f>(fields: impl Iterator<Item = (&'f str, &'f str)>) -> Option<Self> {
        let mut known: Vec<(&str, String)> = Vec::new();
        for (name, value) in fields.filter(|(name, _)| FIELDS.contains(name)) {
            match known.iter_mut().find(|(n, _)| *n == name) {
                Some((_, all)) => *all = format!("{all}, {value}"),
                None => known.push((name, value.to_owned())),
            }
        }
        let value = |name: &str| known.iter().find(|(n, _)| *n == name).map(|(_, value)| value.as_str());
        let age_s = value("age").and_then(|age| age.trim().parse::<u64>().ok());
        let by_field = FIELDS.iter().find_map(|name| {
            let text = value(name)?;
            let word = match *name {
                "cache-status" => standard(text),
                "cf-cache-status" => cloudflare(text),
                "x-vercel-cache" => vercel(text),
                "age" => age_s.filter(|age| *age > 0).map(|_| CacheWord::Stored),
                _ => plain(text),
            }?;
            Some((word, format!("{name}: {}", text.chars().take(80).collect::<String>())))
        });
        let (mut word, mut by) = by_field?;
        // A cache further in may have stored what the outer one passed on and says nothing of.
        if word != CacheWord::Stored
            && value("cache-status").is_none()
            && let Some(age) = age_s.filter(|age| *age > 0)
        {
            (word, by) = (CacheWord::Stored, format!("age: {age}"));
        }
        Some(Self { word, by, age_s })
    }
}

/// RFC 9211, section 2: one member a cache, the one closest to the origin first. `hit` says that the cache did not ask
/// on; `fwd` that it did, and why; the parameters exclude each other.
fn standard(field: &str) -> Option<CacheWord> {
    let caches = list(field)?;
    if caches.iter().any(|cache| cache.is_true("hit")) {
        return Some(CacheWord::Stored);
    }
    let forwarded: Vec<&str> =
        caches.iter().filter_map(|cache| cache.parameter("fwd").and_then(Bare::text)).collect();
    match forwarded.as_slice() {
        [] => None,
        all if all.iter().all(|why| *why == "bypass") => Some(CacheWord::Passed),
        _ => Some(CacheWord::Asked),
    }
}

/// Cloudflare's documentation, "Cloudflare cache responses": the first four are served from its cache, revalidated or not;
/// `MISS` and `EXPIRED` were asked of the origin; the rest is not kept.
fn cloudflare(value: &str) -> Option<CacheWord> {
    match value.trim().to_ascii_uppercase().as_str() {
        "HIT" | "STALE" | "REVALIDATED" | "UPDATING" => Some(CacheWord::Stored),
        "MISS" | "EXPIRED" => Some(CacheWord::Asked),
        "DYNAMIC" | "BYPASS" | "NONE" | "NONE/UNKNOWN" => Some(CacheWord::Passed),
        _ => None,
    }
}

/// Vercel's documentation, "Response headers": `REVALIDATED` is an answer of the origin that replaced the copy.
fn vercel(value: &str) -> Option<CacheWord> {
    match value.trim().to_ascii_uppercase().as_str() {
        "HIT" | "STALE" | "PRERENDER" => Some(CacheWord::Stored),
        "MISS" | "REVALIDATED" => Some(CacheWord::Asked),
        "BYPASS" => Some(CacheWord::Passed),
        _ => None,
    }
}

/// `X-Cache`, which has no standard: `HIT`, `Hit from cloudfront`, `RefreshHit from cloudfront`, `TCP_HIT from …`, and
/// with Fastly one word for each cache of a chain. Any copy on the way is a copy.
fn plain(value: &str) -> Option<CacheWord> {
    let lower = value.to_ascii_lowercase();
    let words: Vec<&str> =
        lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let has = |these: &[&str]| words.iter().any(|word| these.contains(word));
    if has(&["hit", "refreshhit", "stale", "updating", "revalidated"]) {
        Some(CacheWord::Stored)
    } else if has(&["miss", "expired", "refreshmiss"]) {
        Some(CacheWord::Asked)
    } else if has(&["bypass", "pass", "dynamic", "uncacheable"]) {
        Some(CacheWord::Passed)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(fields: &[(&str, &str)]) -> Option<CacheWord> {
        CacheReading::of(fields.iter().copied()).map(|reading| reading.word)
    }

    #[test]
    fn every_vendors_words() {
        use CacheWord::{Asked, Passed, Stored};
        for (name, value, word) in [
            // The examples of RFC 9211, section 2 and 3.
            ("cache-status", "ExampleCache; hit; ttl=376", Some(Stored)),
            (
                "cache-status",
                "ReverseProxyCache; hit, ForwardProxyCache; fwd=uri-miss; collapsed; stored",
                Some(Stored),
            ),
            ("cache-status", "BrowserCache; fwd=uri-miss", Some(Asked)),
            ("cache-status", "ExampleCache; fwd=stale; fwd-status=304; collapsed=?0", Some(Asked)),
            ("cache-status", "OriginCache; fwd=bypass; detail=\"no-store\"", Some(Passed)),
            ("cache-status", "ExampleCache", None),
            ("cache-status", "not, a list,", None),
            ("cf-cache-status", "HIT", Some(Stored)),
            ("cf-cache-status", "STALE", Some(Stored)),
            ("cf-cache-status", "REVALIDATED", Some(Stored)),
            ("cf-cache-status", "UPDATING", Some(Stored)),
            ("cf-cache-status", "MISS", Some(Asked)),
            ("cf-cache-status", "EXPIRED", Some(Asked)),
            ("cf-cache-status", "DYNAMIC", Some(Passed)),
            ("cf-cache-status", "BYPASS", Some(Passed)),
            ("cf-cache-status", "NONE", Some(Passed)),
            ("x-vercel-cache", "HIT", Some(Stored)),
            ("x-vercel-cache", "STALE", Some(Stored)),
            ("x-vercel-cache", "PRERENDER", Some(Stored)),
            ("x-vercel-cache", "MISS", Some(Asked)),
            ("x-vercel-cache", "REVALIDATED", Some(Asked)),
            ("x-cache", "Hit from cloudfront", Some(Stored)),
            ("x-cache", "RefreshHit from cloudfront", Some(Stored)),
            ("x-cache", "Miss from cloudfront", Some(Asked)),
            ("x-cache", "Error from cloudfront", None),
            ("x-cache", "MISS, HIT", Some(Stored)),
            ("cdn-cache", "HIT", Some(Stored)),
            ("cdn-cache", "EXPIRED", Some(Asked)),
            ("x-sucuri-cache", "BYPASS", Some(Passed)),
            ("x-litespeed-cache", "hit,private", Some(Stored)),
            ("x-fastcgi-cache", "MISS", Some(Asked)),
            ("x-proxy-cache", "-", None),
            ("x-cache", "TCP_HIT from a23-1-2-3.deploy.akamaitechnologies.com", Some(Stored)),
            ("x-cache", "TCP_MISS from a23-1-2-3", Some(Asked)),
            ("age", "12", Some(Stored)),
            ("age", "0", None),
            ("age", "soon", None),
            ("etag", "\"hit\"", None),
        ] {
            assert_eq!(read(&[(name, value)]), word, "{name}: {value}");
        }
    }

    #[test]
    fn the_standard_beats_the_vendors_and_a_copy_further_in_is_not_missed() {
        let both = [("cf-cache-status", "HIT"), ("cache-status", "Edge; fwd=miss; stored")];
        assert_eq!(read(&both), Some(CacheWord::Asked));
        assert_eq!(read(&[("cf-cache-status", "DYNAMIC"), ("age", "30")]), Some(CacheWord::Stored));
        assert_eq!(
            read(&[("cache-status", "A; fwd=miss"), ("cache-status", "B; hit")]),
            Some(CacheWord::Stored)
        );
    }
}
