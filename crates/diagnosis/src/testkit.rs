//! Builders of synthetic evidence for tests of this crate.

use landfall_evidence::*;

/// Begins an HTTP response.
pub(crate) fn response(status: u16) -> ResponseBuilder {
    ResponseBuilder(HttpResponse {
        version: HttpVersion::H2,
        status,
        headers: Vec::new(),
        body: Body { byte_count: 0, complete: true, cut: None, text: Some(String::new()), sha256: sha256("") },
        redirect_to: None,
    })
}

/// An HTTP response in the making.
#[derive(Clone)]
pub(crate) struct ResponseBuilder(HttpResponse);

fn sha256(text: &str) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

impl ResponseBuilder {
    /// Adds a header field.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.0.headers.push(Header { name: name.into(), value: value.into() });
        self
    }

    /// Sets the body.
    pub(crate) fn body(mut self, text: &str) -> Self {
        self.0.body =
            Body { byte_count: text.len() as u64, complete: true, cut: None, text: Some(text.into()), sha256: sha256(text) };
        self
    }

    /// The response.
    pub(crate) fn build(self) -> HttpResponse {
        self.0
    }
}
