//! The fields that the edge adds, in the order in which it writes them, and what it writes itself.
//!
//! The names and the order are those of the hand-written report of the acceptance case, section 2; the refusal is
//! Cloudflare's rate rule for clients that do not ask for HTML: status 429, `error code: 1015`, Retry-After in seconds.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, header};

use crate::serve::{Answer, http_date, text};

/// The type of the text that the edge writes itself.
pub(super) const OWN_TEXT: &str = "text/plain; charset=UTF-8";

const ALT_SVC: HeaderValue = HeaderValue::from_static("h3=\":443\"; ma=86400");
const NEL: HeaderValue =
    HeaderValue::from_static(r#"{"report_to":"cf-nel","success_fraction":0.0,"max_age":604800}"#);
const SERVER: HeaderValue = HeaderValue::from_static("cloudflare");

/// What makes a response look like the edge's.
pub(super) struct Dressing {
    colo: String,
    seed: RandomState,
    count: AtomicU64,
    report_to: HeaderValue,
}

impl Dressing {
    pub(super) fn new(colo: &str) -> Self {
        let seed = RandomState::new();
        let token = format!("{:016x}{:016x}", seed.hash_one("token"), seed.hash_one("more"));
        let report_to = format!(
            r#"{{"group":"cf-nel","max_age":604800,"endpoints":[{{"url":"https://a.nel.cloudflare.com/report/v4?s={token}"}}]}}"#
        );
        let report_to = HeaderValue::from_str(&report_to).expect("hexadecimal digits are valid in a field");
        let colo = colo.chars().filter(char::is_ascii_alphanumeric).collect();
        Self { colo, seed, count: AtomicU64::new(0), report_to }
    }

    /// A new `cf-ray`: 16 hexadecimal digits and the data centre.
    pub(super) fn ray(&self) -> HeaderValue {
        let id = self.seed.hash_one(self.count.fetch_add(1, Ordering::Relaxed));
        HeaderValue::from_str(&format!("{id:016x}-{}", self.colo))
            .expect("digits and letters are valid in a field")
    }

    /// The fields by which the hop behind learns of the client.
    pub(super) fn mark_request(&self, request: &mut Request<Bytes>, client: IpAddr, ray: &HeaderValue) {
        let address = HeaderValue::from_str(&client.to_string()).expect("an address is ASCII");
        let headers = request.headers_mut();
        headers.insert("cf-connecting-ip", address.clone());
        headers.insert("x-forwarded-for", address);
        headers.insert("x-forwarded-proto", HeaderValue::from_static("https"));
        headers.insert("cf-ray", ray.clone());
    }

    /// A response of the hop behind, as the client gets it.
    pub(super) fn passed_on(&self, mut answer: Answer, ray: HeaderValue) -> Answer {
        let theirs = std::mem::take(answer.headers_mut());
        let mut ours = HeaderMap::with_capacity(theirs.len() + 8);
        ours.insert(header::DATE, theirs.get(header::DATE).cloned().unwrap_or_else(http_date));
        // The four that the edge writes are replaced; the rest keeps its order, the usual ones first.
        let first = [header::CONTENT_TYPE, header::CONTENT_LENGTH];
        let replaced = [header::DATE, header::SERVER, header::ALT_SVC, HeaderName::from_static("cf-ray")];
        for name in &first {
            if let Some(value) = theirs.get(name) {
                ours.insert(name.clone(), value.clone());
            }
        }
        for (name, value) in
            theirs.iter().filter(|(name, _)| !first.contains(name) && !replaced.contains(name))
        {
            ours.append(name.clone(), value.clone());
        }
        ours.insert(header::ALT_SVC, ALT_SVC);
        ours.insert("cf-cache-status", HeaderValue::from_static("DYNAMIC"));
        ours.insert("nel", NEL);
        ours.insert("report-to", self.report_to.clone());
        ours.insert(header::SERVER, SERVER);
        ours.insert("cf-ray", ray);
        *answer.headers_mut() = ours;
        answer
    }

    /// A response that the edge wrote itself.
    pub(super) fn own(&self, mut answer: Answer) -> Answer {
        let ray = self.ray();
        let headers = answer.headers_mut();
        headers.insert(header::SERVER, SERVER);
        headers.insert("cf-ray", ray);
        headers.insert(header::ALT_SVC, ALT_SVC);
        answer
    }

    /// The refusal of the rate rule. Retry-After is in whole seconds, rounded up: earlier would be refused again.
    pub(super) fn refusal(&self, wait: Duration) -> Answer {
        let mut answer = text(StatusCode::TOO_MANY_REQUESTS, "error code: 1015");
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        let headers = answer.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(OWN_TEXT));
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        headers.insert(
            header::CACHE_CONTROL,
            HeaderValue::from_static(
                "private, max-age=0, no-store, no-cache, must-revalidate, post-check=0, pre-check=0",
            ),
        );
        headers.insert(header::EXPIRES, HeaderValue::from_static("Thu, 01 Jan 1970 00:00:01 GMT"));
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
        headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("SAMEORIGIN"));
        self.own(answer)
    }
}
