//! The style sheet, the script and the icon: compiled in, named by their content, kept by browsers for a year.

use std::sync::LazyLock;

use axum::body::Body;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use sha2::{Digest, Sha256};

/// One file that the pages need.
#[derive(Debug)]
pub(crate) struct Asset {
    /// Where it is served: `/assets/app.0123456789ab.css`.
    pub(crate) href: String,
    /// The last segment of [`Self::href`].
    name: String,
    kind: &'static str,
    bytes: &'static [u8],
}

impl Asset {
    fn new(stem: &str, extension: &str, kind: &'static str, bytes: &'static [u8]) -> Self {
        let mark = hex::encode(&Sha256::digest(bytes)[..6]);
        let name = format!("{stem}.{mark}.{extension}");
        Self { href: format!("/assets/{name}"), name, kind, bytes }
    }
}

/// The style sheet.
pub(crate) static CSS: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("app", "css", "text/css; charset=utf-8", include_bytes!("../../assets/app.css"))
});
/// The script.
pub(crate) static JS: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("app", "js", "text/javascript; charset=utf-8", include_bytes!("../../assets/app.js"))
});
/// The icon.
pub(crate) static ICON: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("icon", "svg", "image/svg+xml", include_bytes!("../../assets/icon.svg")));

/// `GET /assets/{name}`.
pub(crate) async fn serve(Path(name): Path<String>) -> Response {
    let all: [&Asset; 3] = [&CSS, &JS, &ICON];
    match all.into_iter().find(|a| a.name == name) {
        // RFC 8246: the name changes with the content, so it need never be asked for again.
        Some(asset) => answer(asset, "public, max-age=31536000, immutable"),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// `GET /favicon.ico`, which some programs ask for whatever a page says.
pub(crate) async fn favicon() -> Response {
    answer(&ICON, "public, max-age=86400")
}

fn answer(asset: &'static Asset, caching: &'static str) -> Response {
    let mut response = Response::new(Body::from(Bytes::from_static(asset.bytes)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// All of them: where each is served, and its content.
#[cfg(test)]
pub(crate) fn all() -> Vec<(&'static str, &'static [u8])> {
    [&*CSS, &*JS, &*ICON].into_iter().map(|a| (a.href.as_str(), a.bytes)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_asset_is_kept_for_ever_under_its_own_name_and_missing_under_any_other() {
        let name = CSS.href.trim_start_matches("/assets/").to_owned();
        let found = serve(Path(name)).await;
        assert_eq!(found.status(), StatusCode::OK);
        assert_eq!(found.headers()[header::CACHE_CONTROL], "public, max-age=31536000, immutable");
        assert_eq!(found.headers()[header::CONTENT_TYPE], "text/css; charset=utf-8");
        assert_eq!(serve(Path("app.css".into())).await.status(), StatusCode::NOT_FOUND);
        assert_eq!(favicon().await.headers()[header::CONTENT_TYPE], "image/svg+xml");
    }

    #[test]
    fn no_asset_asks_another_host() {
        for asset in [&*CSS, &*JS] {
            let text = std::str::from_utf8(asset.bytes).expect("assets are UTF-8");
            assert!(!text.contains("//cdn") && !text.contains("http://") && !text.contains("https://"));
            assert!(!text.contains("@import") && !text.contains("url("));
        }
    }
}
