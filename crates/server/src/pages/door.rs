//! How requests come in and answers go out: who looks, what a form carried, where to go afterwards.

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use landfall_store::Id;

use super::errors;
use super::form::Values;
use super::layout::{Flash, Person, Shell, Theme};
use super::parts::Tone;
use crate::problem::FieldError;
use crate::service::accounts;
use crate::{App, Principal, Problem, Settings, session};

/// The cookie that remembers the chosen look.
const THEME: &str = "landfall-theme";
/// The cookie that carries a message over a redirect.
const FLASH: &str = "landfall-flash";
/// The cookie that a form before signing in is held against.
const FORM: &str = "landfall-form";
/// The longest message that is carried, in bytes.
const FLASH_BYTE: usize = 600;

/// One cookie.
fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(n, _)| *n == name)
        .map(|(_, v)| v)
}

fn set_cookie(settings: &Settings, name: &str, value: &str, seconds: u32) -> HeaderValue {
    let secure = if settings.public_url.starts_with("https://") { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
    // All values are words of ours or base64; if one were not, no cookie is the safe side.
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("landfall-none=; Max-Age=0"))
}

/// The cookie that remembers a look for a year.
pub(super) fn theme_cookie(settings: &Settings, theme: Theme) -> HeaderValue {
    set_cookie(settings, THEME, theme.word(), 365 * 24 * 3600)
}

fn read_flash(headers: &HeaderMap) -> Option<Flash> {
    let text = cookie(headers, FLASH).filter(|v| v.len() <= FLASH_BYTE * 2)?;
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
    let (tone, say) = text.split_once(':')?;
    let tone = match tone {
        "good" => Tone::Good,
        "warn" => Tone::Warn,
        _ => Tone::Bad,
    };
    Some(Flash { tone, say: say.to_owned() })
}

/// A path of ours to go to: anything else leads home, so that a link cannot send people elsewhere.
pub(super) fn own_path(path: &str) -> &str {
    let fine = path.starts_with('/')
        && !path.starts_with("//")
        && path.len() <= 2000
        && path.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    if fine { path } else { "/" }
}

/// On to another page (303), so that loading it again repeats nothing.
pub(super) fn go(path: &str) -> Response {
    let to = HeaderValue::from_str(own_path(path)).unwrap_or(HeaderValue::from_static("/"));
    (
        StatusCode::SEE_OTHER,
        [(header::LOCATION, to), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))],
    )
        .into_response()
}

/// On to another page, with a message there.
pub(super) fn done(app: &App, path: &str, tone: Tone, say: &str) -> Response {
    let mut end = say.len().min(FLASH_BYTE);
    while !say.is_char_boundary(end) {
        end -= 1;
    }
    let value = URL_SAFE_NO_PAD.encode(format!("{}:{}", tone.class(), &say[..end]));
    let mut response = go(path);
    response.headers_mut().append(header::SET_COOKIE, set_cookie(&app.settings, FLASH, &value, 60));
    response
}

/// What a page is drawn with for somebody who is not signed in.
pub(crate) fn stranger(app: &App, headers: &HeaderMap) -> Shell {
    Shell {
        now: app.clock.now(),
        public_url: app.settings.public_url.trim_end_matches('/').to_owned(),
        flash: read_flash(headers),
        ..bare(headers)
    }
}

/// What an error page is drawn with: nothing but the chosen look.
fn bare(headers: &HeaderMap) -> Shell {
    Shell {
        now: jiff::Timestamp::UNIX_EPOCH,
        person: None,
        csrf: String::new(),
        flash: None,
        theme: Theme::of(cookie(headers, THEME).unwrap_or_default()),
        open_incidents: 0,
        path: "/".into(),
        public_url: String::new(),
    }
}

/// A page with a form before signing in. The form's token is held against a cookie: whoever is signed in to somebody
/// else's account without noticing works for them, so these forms are taken from our own pages only.
pub(super) struct Doorstep {
    /// The server.
    pub(super) app: App,
    /// What the page is drawn with.
    pub(super) shell: Shell,
    /// The headers that came.
    pub(super) headers: HeaderMap,
}

impl Doorstep {
    pub(super) fn new(app: &App, headers: &HeaderMap) -> Self {
        let mut shell = stranger(app, headers);
        shell.csrf =
            cookie(headers, FORM).filter(|t| t.len() == 43).map_or_else(session::new_token, str::to_owned);
        Self { app: app.clone(), shell, headers: headers.clone() }
    }

    /// The page, with the cookie that its form is held against.
    pub(super) fn show(&self, status: StatusCode, page: maud::Markup) -> Response {
        let mut response = super::layout::respond(status, page);
        let cookie = set_cookie(&self.app.settings, FORM, &self.shell.csrf, 24 * 3600);
        response.headers_mut().append(header::SET_COOKIE, cookie);
        response
    }
}

impl FromRequestParts<App> for Doorstep {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        Ok(Self::new(app, &parts.headers))
    }
}

/// A form that was filled in before signing in, from our own page.
pub(super) struct Knock {
    /// Where.
    pub(super) step: Doorstep,
    /// What was filled in.
    pub(super) values: Values,
    /// From where it came.
    pub(super) from: accounts::From,
}

impl FromRequest<App> for Knock {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let client = crate::Client::from_request_parts(&mut parts, app).await.map_err(refused)?;
        if session::from_own_page(&parts.headers, &app.settings) == Some(false) {
            return Err(Problem::forbidden("a page of another site sent this; it was not carried out"));
        }
        let from = crate::api::session::from(client, &parts.headers);
        let step = Doorstep::new(app, &parts.headers);
        let kept = cookie(&parts.headers, FORM).unwrap_or_default().to_owned();
        let values = read(Request::from_parts(parts, body), app).await?;
        if kept.is_empty() || !session::same(&kept, values.raw("csrf")) {
            return Err(Problem::forbidden(
                "the form is too old, or cookies are switched off; load the page again and send it once more",
            ));
        }
        Ok(Self { step, values, from })
    }
}

fn refused<E>(_: E) -> Problem {
    Problem::bad_request("the request cannot be understood")
}

/// Somebody who is signed in, and what their page is drawn with.
pub(super) struct Visitor {
    /// The server.
    pub(super) app: App,
    /// Who it is.
    pub(super) principal: Principal,
    /// What the page is drawn with.
    pub(super) shell: Shell,
}

impl FromRequestParts<App> for Visitor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let principal = Principal::from_request_parts(parts, app).await?;
        let who = accounts::who(app, &principal).await?;
        let open = principal.tenant.open_incident_count().await?;
        let path = parts.uri.path_and_query().map_or("/", |p| p.as_str()).to_owned();
        let shell = Shell {
            person: Some(Person {
                name: who.name,
                organisation: who.organisation_name,
                others: who
                    .organisations
                    .into_iter()
                    .filter(|o| o.slug != who.organisation)
                    .map(|o| (o.slug, o.name))
                    .collect(),
                role: principal.role,
            }),
            csrf: principal.csrf.clone().unwrap_or_default(),
            open_incidents: u32::try_from(open).unwrap_or(u32::MAX),
            path,
            ..stranger(app, &parts.headers)
        };
        Ok(Self { app: app.clone(), principal, shell })
    }
}

impl Visitor {
    /// The answer with a page in it.
    pub(super) fn show(&self, page: maud::Markup) -> Response {
        super::layout::respond(StatusCode::OK, page)
    }

    /// The answer to a form that was not good: the form once more, with what is wrong (RFC 9110, section 15.5.21).
    pub(super) fn again(&self, page: maud::Markup) -> Response {
        super::layout::respond(StatusCode::UNPROCESSABLE_ENTITY, page)
    }

    /// On to another page, with a message there.
    pub(super) fn done(&self, path: &str, say: &str) -> Response {
        done(&self.app, path, Tone::Good, say)
    }
}

/// A form of somebody who is signed in, with the session's token in it. There is no other way to a form's values, so that
/// no handler can forget to look at the token.
pub(super) struct Sent {
    /// Who sent it.
    pub(super) visitor: Visitor,
    /// What was filled in.
    pub(super) values: Values,
}

impl FromRequest<App> for Sent {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let mut visitor = Visitor::from_request_parts(&mut parts, app).await?;
        visitor.shell.path = "/".into();
        let values = read(Request::from_parts(parts, body), app).await?;
        visitor.principal.check_csrf(values.raw("csrf"))?;
        Ok(Self { visitor, values })
    }
}

async fn read(request: Request, app: &App) -> Result<Values, Problem> {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    if !kind.starts_with("application/x-www-form-urlencoded") {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "a form is sent as application/x-www-form-urlencoded; programs use /api/v1",
        ));
    }
    let body = Bytes::from_request(request, app).await.map_err(|rejection| {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "the form is larger than this server takes")
        } else {
            Problem::bad_request("the form ended before its announced end")
        }
    })?;
    Ok(Values::parse(&body))
}

/// An id in a path or a query. What is no id names nothing.
pub(super) fn id(text: &str, what: &str) -> Result<Id, Problem> {
    text.parse().map_err(|_| Problem::missing(what))
}

/// The field errors of a problem that is about fields; any other problem stays one.
pub(super) fn fields_of(problem: Problem) -> Result<Vec<FieldError>, Problem> {
    match problem.status {
        422 if !problem.errors.is_empty() => Ok(problem.errors),
        402 | 409 => Ok(vec![FieldError { field: String::new(), detail: problem.detail }]),
        _ => Err(problem),
    }
}

/// What a problem body may hold when it is read back.
const PROBLEM_BYTE: usize = 256 * 1024;

/// Dresses problems: what a handler, an extractor or a limit answers as `application/problem+json` becomes a page for whoever
/// prefers pages, and whoever is not signed in is led to where they can. It also takes away a message once it was shown.
/// Paths of programs (`/api/`, `/ping/`, `/metrics`, …) are left alone, so that it can stand round the whole server.
pub async fn dress(request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let program = ["/api/", "/ping/", "/badge/", "/metrics", "/probe", "/health", "/readyz", "/assets/"];
    if program.iter().any(|p| path.starts_with(p)) {
        return next.run(request).await;
    }
    let (method, uri, headers) = (request.method().clone(), request.uri().clone(), request.headers().clone());
    let mut response = next.run(request).await;
    let kind = |r: &Response, what: &str| {
        r.headers().get(header::CONTENT_TYPE).is_some_and(|v| v.as_bytes().starts_with(what.as_bytes()))
    };
    if kind(&response, "application/problem+json") && errors::wants_page(&headers) {
        let status = response.status();
        if status == StatusCode::UNAUTHORIZED {
            let next =
                if method == Method::GET { uri.path_and_query().map_or("/", |p| p.as_str()) } else { "/" };
            let query =
                url::form_urlencoded::Serializer::new(String::new()).append_pair("next", next).finish();
            let mut led = go(&if next == "/" { "/sign-in".to_owned() } else { format!("/sign-in?{query}") });
            carry_over(response.headers(), &mut led);
            led.headers_mut().remove(header::WWW_AUTHENTICATE);
            return led;
        }
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, PROBLEM_BYTE).collect().await.map(|b| b.to_bytes()).unwrap_or_default();
        let problem = read_problem(status, &body);
        response = errors::answer(&bare(&headers), &headers, &problem);
        carry_over(&parts.headers, &mut response);
    }
    if cookie(&headers, FLASH).is_some() && method == Method::GET && kind(&response, "text/html") {
        let gone = format!("{FLASH}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax");
        if let Ok(gone) = HeaderValue::from_str(&gone) {
            response.headers_mut().append(header::SET_COOKIE, gone);
        }
    }
    response
}

/// What the answer in its other dress keeps: everything that the new one does not say itself. A page needs its own policy
/// for what it may load, and not that of an answer to a program.
fn carry_over(from: &HeaderMap, to: &mut Response) {
    let own = to.headers().clone();
    for (name, value) in from {
        let body = [header::CONTENT_TYPE, header::CONTENT_LENGTH, header::CACHE_CONTROL].contains(name);
        if !body && !own.contains_key(name) {
            to.headers_mut().append(name, value.clone());
        }
    }
}

fn read_problem(status: StatusCode, body: &[u8]) -> Problem {
    #[derive(serde::Deserialize)]
    struct Said {
        #[serde(default)]
        detail: String,
        #[serde(default)]
        errors: Vec<SaidField>,
    }
    #[derive(serde::Deserialize)]
    struct SaidField {
        #[serde(default)]
        field: String,
        #[serde(default)]
        detail: String,
    }
    let said: Said =
        serde_json::from_slice(body).unwrap_or(Said { detail: String::new(), errors: Vec::new() });
    let errors = said.errors.into_iter().map(|e| FieldError { field: e.field, detail: e.detail }).collect();
    let mut problem = Problem::new(status, said.detail);
    problem.errors = errors;
    problem
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_elsewhere() {
        for path in [
            "//evil.example",
            "https://evil.example",
            "/\\evil.example",
            "",
            "javascript:alert(1)",
            "/a\r\nb: c",
        ] {
            assert_eq!(own_path(path), "/", "{path:?}");
        }
        assert_eq!(own_path("/monitors?verdict=down"), "/monitors?verdict=down");
    }
}
