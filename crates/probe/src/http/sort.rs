//! What can go wrong inside an HTTP exchange, sorted by who is at fault.

use std::error::Error;
use std::io;

use h2::Reason;
use landfall_evidence::{Denial, HttpResponse, Phase};

use crate::connect::Fault;
use crate::rate_limit::signal;

/// The denial of a header block past the bound, in bytes.
pub(crate) fn headers_too_large(limit: usize) -> Denial {
    Denial::TooLarge { what: "headers".to_owned(), limit: limit as u64 }
}

/// Sorts an error of the HTTP/1.1 and HTTP/2 library; `limit` is the bound on header bytes.
pub(crate) fn hyper(error: &hyper::Error, phase: Phase, limit: usize) -> Fault {
    if error.is_parse_too_large() {
        return Fault::Denied(headers_too_large(limit));
    }
    if error.is_parse() {
        return Fault::Denied(Denial::Malformed { phase, detail: words(error) });
    }
    if let Some(error) = find::<h2::Error>(error) {
        return http2(error, phase, limit);
    }
    if let Some(error) = find::<io::Error>(error) {
        return stream(error, phase);
    }
    if error.is_user() {
        return Fault::local(words(error));
    }
    // What is left is a connection that ended: before the request, or in the middle of the answer.
    Fault::Denied(Denial::Closed { phase })
}

fn http2(error: &h2::Error, phase: Phase, limit: usize) -> Fault {
    if let Some(error) = error.get_io() {
        return stream(error, phase);
    }
    match error.reason() {
        // The library's own words for a flood of CONTINUATION frames.
        Some(Reason::ENHANCE_YOUR_CALM) if error.is_library() => Fault::Denied(headers_too_large(limit)),
        Some(Reason::HTTP_1_1_REQUIRED) if error.is_remote() => {
            Fault::Denied(Denial::VersionNotOffered { chosen: Some("http/1.1".to_owned()) })
        }
        Some(Reason::NO_ERROR) if error.is_go_away() => Fault::Denied(Denial::Closed { phase }),
        _ => Fault::Denied(Denial::Malformed { phase, detail: error.to_string() }),
    }
}

/// Sorts an error of the byte stream under the exchange, TLS included.
fn stream(error: &io::Error, phase: Phase) -> Fault {
    if let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        return Fault::Denied(match tls {
            rustls::Error::AlertReceived(description) => crate::tls::alert::denial(u8::from(*description)),
            other => Denial::Malformed { phase, detail: other.to_string() },
        });
    }
    // The HTTP/2 library hands on no more of an error than its words and its kind.
    if let Some(code) = crate::tls::alert::told(&error.to_string()) {
        return Fault::Denied(crate::tls::alert::denial(code));
    }
    match error.kind() {
        // What came could not be read as TLS, which is the other side's doing.
        io::ErrorKind::InvalidData => Fault::Denied(Denial::Malformed { phase, detail: error.to_string() }),
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => {
            Fault::Denied(Denial::Reset { phase })
        }
        io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe | io::ErrorKind::NotConnected => {
            Fault::Denied(Denial::Closed { phase })
        }
        _ => Fault::local(error.to_string()),
    }
}

/// Whether a limiter refused the request: 429 always (RFC 6585, section 4); 503 with both a Retry-After and a limiter's
/// own headers, because a Retry-After alone is also what a maintenance page sends; 403 with a quota that is used up.
pub fn refused_by_limiter(response: &HttpResponse) -> bool {
    let limiter = || {
        signal::limit_headers(response).iter().any(|header| header.name != "retry-after")
            && response.header("retry-after").is_some()
    };
    match response.status {
        429 => true,
        503 => limiter(),
        _ => signal::refusal(response).is_some(),
    }
}

/// The error with its causes, in one line.
pub(crate) fn words(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}

fn find<'e, E: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        next = error.source();
    }
    None
}
