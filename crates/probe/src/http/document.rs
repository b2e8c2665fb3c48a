//! OpenAPI documents among bodies: which operations they name. The rest of a document is passed over, whatever its size.
//!
//! Source: spec.openapis.org/oas (paths, servers, info), and version 2.0's `basePath`.

use std::collections::BTreeMap;

use landfall_evidence::ServedDocument;
use serde::Deserialize;
use serde::de::IgnoredAny;

/// Operations kept; a document with more is generated.
const MAX_OPERATIONS: usize = 1_000;
/// Generators write the format's version among the first fields; a body without it there is not read any further.
const HEAD_BYTE: usize = 1_024;
/// The fields of a path that are methods (OpenAPI 3.1, Path Item Object).
const METHODS: &[&str] = &["get", "post", "put", "patch", "delete", "head", "options", "trace"];

#[derive(Deserialize)]
struct Document {
    openapi: Option<String>,
    swagger: Option<String>,
    info: Option<Info>,
    servers: Option<Vec<Server>>,
    #[serde(rename = "basePath")]
    base_path: Option<String>,
    paths: BTreeMap<String, BTreeMap<String, IgnoredAny>>,
}

#[derive(Deserialize)]
struct Info {
    version: Option<String>,
}

#[derive(Deserialize)]
struct Server {
    url: Option<String>,
}

/// Whether a body may be such a document, by how it begins.
pub(super) fn may_be(bytes: &[u8]) -> bool {
    let head = &bytes[..bytes.len().min(HEAD_BYTE)];
    let has = |word: &[u8]| head.windows(word.len()).any(|window| window == word);
    head.trim_ascii_start().first() == Some(&b'{') && (has(b"\"openapi\"") || has(b"\"swagger\""))
}

/// Reads a whole body. `None` when it is no such document.
pub(super) fn read(bytes: &[u8]) -> Option<ServedDocument> {
    if !may_be(bytes) {
        return None;
    }
    let document: Document = serde_json::from_slice(bytes).ok()?;
    let url = document.servers.unwrap_or_default().into_iter().find_map(|server| server.url);
    let base = match url.or(document.base_path).as_deref() {
        // Of a whole URL the path; of a relative one all of it.
        Some(url) => match url.split_once("://") {
            Some((_, rest)) => rest.find('/').map_or("", |at| &rest[at..]).to_owned(),
            None => url.to_owned(),
        },
        None => String::new(),
    };
    let mut all = document.paths.iter().flat_map(|(path, item)| {
        let methods = METHODS.iter().filter(|method| item.contains_key(**method));
        methods.map(move |method| format!("{} {path}", method.to_uppercase()))
    });
    let operations: Vec<String> = all.by_ref().take(MAX_OPERATIONS).collect();
    Some(ServedDocument {
        format: document.openapi.or(document.swagger)?,
        version: document.info.and_then(|info| info.version),
        base: base.trim_end_matches('/').to_owned(),
        more: all.next().is_some(),
        operations,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_base_and_version_of_both_formats() {
        let new = br#"{"openapi":"3.1.0","info":{"title":"A","version":"2.4.1"},"servers":[{"url":"https://a.test/v1/"}],
            "paths":{"/items/{id}":{"get":{"responses":{}},"parameters":[],"delete":{}},"/a":{"post":{}}}}"#;
        let read_new = read(new).expect("a document");
        assert_eq!(read_new.operations, ["POST /a", "GET /items/{id}", "DELETE /items/{id}"]);
        assert_eq!((read_new.format.as_str(), read_new.base.as_str()), ("3.1.0", "/v1"));
        assert_eq!(read_new.version.as_deref(), Some("2.4.1"));
        let old = read(br#"{"swagger": "2.0", "basePath": "/api", "paths": {"/x": {"put": {}}}}"#)
            .expect("a document");
        assert_eq!((old.base.as_str(), old.operations.as_slice()), ("/api", &["PUT /x".to_owned()][..]));
        let relative =
            read(br#"{"openapi":"3.0.0","servers":[{"url":"/"}],"paths":{}}"#).expect("a document");
        assert_eq!(relative.base, "");
    }

    #[test]
    fn what_is_none_is_not_taken_for_one() {
        for text in [
            "",
            "[]",
            "{}",
            "<html>openapi</html>",
            r#"{"detail":"Not Found"}"#,
            r#"{"openapi":"3.1.0"}"#,
            r#"{"openapi":"3.1.0","paths":[]}"#,
            r#"{"openapi":3,"paths":{}}"#,
            r#"{"openapi":"3.1.0","paths":{"/x":{"#,
        ] {
            assert_eq!(read(text.as_bytes()), None, "{text}");
        }
        let many: Vec<String> = (0..=MAX_OPERATIONS).map(|n| format!(r#""/{n}":{{"get":{{}}}}"#)).collect();
        let many = read(format!(r#"{{"openapi":"3.1.0","paths":{{{}}}}}"#, many.join(",")).as_bytes());
        assert!(many.is_some_and(|document| document.more && document.operations.len() == MAX_OPERATIONS));
    }
}
