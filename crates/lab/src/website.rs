//! Another application: the company's website, which has a page for every path, so that a monitor that looks at the
//! status alone sees nothing wrong.

use std::sync::Arc;

use http::{HeaderValue, Method, StatusCode, header};

use crate::serve::{Handler, for_method, response};

const PAGE: &str = r#"<!DOCTYPE html><html lang="en"><head><meta charSet="utf-8"/><meta name="viewport" content="width=device-width, initial-scale=1"/><link rel="stylesheet" href="/_next/static/css/4f1c0b7e2a9d3358.css" data-precedence="next"/><script src="/_next/static/chunks/main-app-1b9e6f7c.js" async=""></script><title>Levqor - automation that runs itself</title><meta name="description" content="Build, run and watch your workflows."/></head><body class="antialiased"><header><a href="/">Levqor</a><nav><a href="/pricing">Pricing</a><a href="/docs">Docs</a><a href="/signin">Sign in</a></nav></header><main><h1>Automation that runs itself</h1><p>Build, run and watch your workflows.</p></main><script>(self.__next_f=self.__next_f||[]).push([0])</script></body></html>
"#;

/// The handler of the website.
pub(crate) fn handler() -> Handler {
    Arc::new(|request, _| {
        let mut answer = response(StatusCode::OK, "text/html; charset=utf-8", PAGE);
        let headers = answer.headers_mut();
        headers.insert(
            header::VARY,
            HeaderValue::from_static("rsc, next-router-state-tree, next-router-prefetch"),
        );
        headers.insert("x-nextjs-cache", HeaderValue::from_static("HIT"));
        headers.insert("x-powered-by", HeaderValue::from_static("Next.js"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("s-maxage=31536000"));
        Box::pin(std::future::ready(for_method(request.method() == Method::HEAD, answer)))
    })
}
