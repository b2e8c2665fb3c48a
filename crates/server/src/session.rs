//! Session tokens: how they are made, carried in a cookie, and kept from being used by somebody else's page.
//!
//! A token is 256 random bits; the store knows only its SHA-256, which is enough for a value that cannot be guessed. The
//! cookie is `HttpOnly` and `SameSite=Lax`; with an https public URL it is `Secure` under the `__Host-` prefix, which no
//! neighbouring host can set (RFC 6265bis, section 4.1.3.2). The form token (CSRF) is derived from the session token, so
//! it needs no storage and ends with the session.
//!
//! A write with a cookie is taken only from our own pages: `Sec-Fetch-Site` must be `same-origin` (or `none`, when the
//! person typed it), else `Origin` must be ours, else, when a client sends neither, the form token must come along.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue, header};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::{Problem, Settings};

/// A session that is not used for so long is over.
pub const IDLE: Duration = Duration::from_secs(7 * 24 * 3600);
/// A session is over after so long in any case.
pub const ABSOLUTE: Duration = Duration::from_secs(30 * 24 * 3600);
/// The header in which a program that has a session sends the form token.
pub const CSRF_HEADER: &str = "x-csrf-token";

/// 256 random bits, as 43 characters that need no escaping anywhere.
pub fn new_token() -> String {
    let mut bytes = [0u8; 32];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    URL_SAFE_NO_PAD.encode(bytes)
}

/// What the store keeps of a token.
pub fn hash(token: &str) -> String {
    hex::encode(Sha256::digest(token.as_bytes()))
}

/// The form token of a session.
pub(crate) fn csrf(token: &str) -> String {
    let mut hasher = Sha256::new();
    hasher.update(b"landfall form token\0");
    hasher.update(token.as_bytes());
    URL_SAFE_NO_PAD.encode(hasher.finalize())
}

/// Whether two secrets are the same, in a time that does not depend on where they differ.
pub fn same(a: &str, b: &str) -> bool {
    a.as_bytes().ct_eq(b.as_bytes()).into()
}

fn secure(settings: &Settings) -> bool {
    settings.public_url.starts_with("https://")
}

fn name(settings: &Settings) -> &'static str {
    if secure(settings) { "__Host-landfall" } else { "landfall" }
}

/// The value of `Set-Cookie` that carries a session.
pub fn cookie(settings: &Settings, token: &str) -> HeaderValue {
    set_cookie(settings, token, ABSOLUTE.as_secs())
}

/// The value of `Set-Cookie` that takes the session away.
pub fn no_cookie(settings: &Settings) -> HeaderValue {
    set_cookie(settings, "", 0)
}

fn set_cookie(settings: &Settings, token: &str, seconds: u64) -> HeaderValue {
    let secure = if secure(settings) { "; Secure" } else { "" };
    let text =
        format!("{}={token}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}", name(settings));
    HeaderValue::from_str(&text).expect("a token has no character that a header may not have")
}

/// The session token among the cookies.
pub fn token<'a>(headers: &'a HeaderMap, settings: &Settings) -> Option<&'a str> {
    let wanted = name(settings);
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(n, _)| *n == wanted)
        .map(|(_, v)| v)
        .filter(|v| !v.is_empty() && v.len() <= 100)
}

/// Whether a request comes from a page of ours, as far as the browser says so: `None` when it says nothing.
pub fn from_own_page(headers: &HeaderMap, settings: &Settings) -> Option<bool> {
    let text = |name: &str| headers.get(name).map(|v| v.to_str().unwrap_or("?"));
    if let Some(site) = text("sec-fetch-site") {
        return Some(matches!(site, "same-origin" | "none"));
    }
    let origin = text("origin")?;
    let public = url::Url::parse(&settings.public_url).map(|u| u.origin().ascii_serialization());
    if public.is_ok_and(|p| p == origin) {
        return Some(true);
    }
    // Reached under another name than the public one, as on loopback: then the page and the request name the same host.
    let host = text("host").unwrap_or_default();
    let (_, origin_host) = origin.split_once("://").unwrap_or_default();
    Some(!host.is_empty() && origin_host == host)
}

/// Nothing when a write with a cookie is from a page of ours. For a page, a request of a browser that says nothing is
/// left to the form token in its body.
pub(crate) fn own_page(
    path: &str,
    headers: &HeaderMap,
    settings: &Settings,
    csrf: &str,
) -> Result<(), Problem> {
    match from_own_page(headers, settings) {
        Some(true) => Ok(()),
        Some(false) => Err(Problem::forbidden("a page of another site sent this; it was not carried out")),
        None if !path.starts_with("/api/") => Ok(()),
        None => {
            let sent = headers.get(CSRF_HEADER).and_then(|v| v.to_str().ok()).unwrap_or_default();
            if same(sent, csrf) {
                return Ok(());
            }
            Err(Problem::forbidden(
                "a write with a session cookie needs its token in the header X-CSRF-Token (GET /api/v1/session tells it); \
                 programs use an API key instead",
            ))
        }
    }
}
