//! First run, signing in and out, joining, switching, the look.

use axum::Router;
use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::{get, post};
use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;

use crate::pages::account::{self, Filled};
use crate::pages::door::{Doorstep, Knock, Sent, done, go, own_path, theme_cookie};
use crate::pages::layout::Theme;
use crate::pages::parts::Tone;
use crate::service::accounts::{self, FirstRun, Join, Register, SignIn, SignedIn};
use crate::{App, Principal, Problem, session};

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/first-run", get(first_run_page).post(first_run))
        .route("/sign-in", get(sign_in_page).post(sign_in))
        .route("/sign-out", post(sign_out))
        .route("/register", get(register_page).post(register))
        .route("/join", get(join_page).post(join))
        .route("/switch", post(switch))
        .route("/theme", post(theme))
}

#[derive(Debug, Default, Deserialize)]
struct Asked {
    #[serde(default)]
    token: String,
    #[serde(default)]
    next: String,
}

/// In, with the new session's cookie. A session that came along ends: the token changes with the rights.
async fn welcome(app: &App, headers: &HeaderMap, signed: &SignedIn, next: &str) -> Result<Response, Problem> {
    if let Some(old) = session::token(headers, &app.settings) {
        accounts::sign_out(app, old).await?;
    }
    let mut response = go(next);
    response.headers_mut().append(header::SET_COOKIE, session::cookie(&app.settings, &signed.token));
    Ok(response)
}

fn status(problem: &Problem) -> StatusCode {
    StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// What a form before signing in can show itself; anything else becomes an error page.
fn shown(problem: Problem) -> Result<Problem, Problem> {
    if matches!(problem.status, 401 | 403 | 409 | 422 | 429) { Ok(problem) } else { Err(problem) }
}

async fn sign_in_page(
    step: Doorstep,
    principal: Option<KnownPrincipal>,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    if principal.is_some() {
        return Ok(go(own_path(&asked.next)));
    }
    if !step.app.store.has_users().await? {
        let say = "This server has no account yet. Open the link that it printed when it started; start it again for a fresh one.";
        return Ok(step.show(StatusCode::OK, account::message(&step.shell, "Not set up yet", say, None)));
    }
    Ok(step.show(StatusCode::OK, account::sign_in(&step.shell, Filled::default(), own_path(&asked.next), "")))
}

/// Somebody who is signed in already, if anybody is.
struct KnownPrincipal;

impl axum::extract::OptionalFromRequestParts<App> for KnownPrincipal {
    type Rejection = Problem;

    async fn from_request_parts(
        parts: &mut http::request::Parts,
        app: &App,
    ) -> Result<Option<Self>, Problem> {
        use axum::extract::FromRequestParts as _;
        match Principal::from_request_parts(parts, app).await {
            Ok(_) => Ok(Some(Self)),
            Err(problem) if problem.status == 401 => Ok(None),
            Err(problem) => Err(problem),
        }
    }
}

async fn sign_in(knock: Knock) -> Result<Response, Problem> {
    let Knock { step, values, from } = knock;
    let asked = SignIn { email: values.get("email").into(), password: values.raw("password").into() };
    let next = own_path(values.get("next")).to_owned();
    match accounts::sign_in(&step.app, &asked, &from).await {
        Ok(signed) => welcome(&step.app, &step.headers, &signed, &next).await,
        Err(problem) => {
            let problem = shown(problem)?;
            let filled = Filled { email: &asked.email, ..Filled::default() };
            // 401 would be led to this very page again.
            let code =
                if problem.status == 401 { StatusCode::UNPROCESSABLE_ENTITY } else { status(&problem) };
            Ok(step.show(code, account::sign_in(&step.shell, filled, &next, &problem.detail)))
        }
    }
}

async fn sign_out(State(app): State<App>, headers: HeaderMap, sent: Sent) -> Result<Response, Problem> {
    if let Some(token) = session::token(&headers, &app.settings) {
        accounts::sign_out(&app, token).await?;
    }
    let mut response = done(&sent.visitor.app, "/sign-in", Tone::Good, "You are signed out.");
    response.headers_mut().append(header::SET_COOKIE, session::no_cookie(&app.settings));
    Ok(response)
}

async fn first_run_page(step: Doorstep, Query(asked): Query<Asked>) -> Result<Response, Problem> {
    if !accounts::first_run_works(&step.app, &asked.token).await? {
        let say = "Either the first account was made already, or the server was started again since and printed a fresh link.";
        let page = account::message(
            &step.shell,
            "This link does not work any more",
            say,
            Some(("/sign-in", "Sign in")),
        );
        return Ok(step.show(StatusCode::FORBIDDEN, page));
    }
    Ok(step.show(StatusCode::OK, account::first_run(&step.shell, &asked.token, Filled::default(), "", &[])))
}

async fn first_run(knock: Knock) -> Result<Response, Problem> {
    let Knock { step, values, from } = knock;
    let text = |name: &str| values.get(name).to_owned();
    let asked = FirstRun {
        token: text("token"),
        email: text("email"),
        name: text("name"),
        password: values.raw("password").into(),
        organisation: text("organisation"),
    };
    match accounts::first_run(&step.app, &asked, &from).await {
        Ok(signed) => welcome(&step.app, &step.headers, &signed, "/").await,
        Err(problem) => {
            let problem = shown(problem)?;
            let filled = Filled { email: &asked.email, name: &asked.name, organisation: &asked.organisation };
            let page =
                account::first_run(&step.shell, &asked.token, filled, &problem.detail, &problem.errors);
            Ok(step.show(status(&problem), page))
        }
    }
}

async fn register_page(step: Doorstep) -> Result<Response, Problem> {
    if !step.app.settings.open_registration {
        return Err(Problem::missing("page"));
    }
    Ok(step.show(StatusCode::OK, account::register(&step.shell, Filled::default(), "", &[])))
}

async fn register(knock: Knock) -> Result<Response, Problem> {
    let Knock { step, values, from } = knock;
    let text = |name: &str| values.get(name).to_owned();
    let asked = Register {
        email: text("email"),
        name: text("name"),
        password: values.raw("password").into(),
        organisation: text("organisation"),
    };
    match accounts::register(&step.app, &asked, &from).await {
        Ok(signed) => welcome(&step.app, &step.headers, &signed, "/").await,
        Err(problem) => {
            let problem = shown(problem)?;
            let filled = Filled { email: &asked.email, name: &asked.name, organisation: &asked.organisation };
            let code =
                if problem.status == 401 { StatusCode::UNPROCESSABLE_ENTITY } else { status(&problem) };
            Ok(step.show(code, account::register(&step.shell, filled, &problem.detail, &problem.errors)))
        }
    }
}

async fn join_page(step: Doorstep, Query(asked): Query<Asked>) -> Result<Response, Problem> {
    match accounts::invitation(&step.app, &asked.token).await {
        Ok(offer) => {
            let filled = Filled { email: offer.email.as_deref().unwrap_or_default(), ..Filled::default() };
            let page =
                account::join(&step.shell, &asked.token, &offer.organisation, &offer.role, filled, "", &[]);
            Ok(step.show(StatusCode::OK, page))
        }
        Err(problem) if problem.status == 404 => {
            let say = "It was used, revoked, or it expired. Ask whoever sent it for a new one.";
            let page = account::message(
                &step.shell,
                "This invitation does not work any more",
                say,
                Some(("/sign-in", "Sign in")),
            );
            Ok(step.show(StatusCode::NOT_FOUND, page))
        }
        Err(problem) => Err(problem),
    }
}

async fn join(knock: Knock) -> Result<Response, Problem> {
    let Knock { step, values, from } = knock;
    let text = |name: &str| values.get(name).to_owned();
    let asked = Join {
        token: text("token"),
        email: text("email"),
        name: text("name"),
        password: values.raw("password").into(),
    };
    match accounts::join(&step.app, &asked, &from).await {
        Ok(signed) => welcome(&step.app, &step.headers, &signed, "/").await,
        Err(problem) => {
            let problem = shown(problem)?;
            let offer = accounts::invitation(&step.app, &asked.token).await?;
            let filled = Filled { email: &asked.email, name: &asked.name, organisation: "" };
            let page = account::join(
                &step.shell,
                &asked.token,
                &offer.organisation,
                &offer.role,
                filled,
                &problem.detail,
                &problem.errors,
            );
            let code =
                if problem.status == 401 { StatusCode::UNPROCESSABLE_ENTITY } else { status(&problem) };
            Ok(step.show(code, page))
        }
    }
}

async fn switch(sent: Sent) -> Result<Response, Problem> {
    let Sent { visitor, values } = sent;
    accounts::switch(&visitor.app, &visitor.principal, values.get("organisation")).await?;
    Ok(go("/"))
}

async fn theme(sent: Sent) -> Result<Response, Problem> {
    let Sent { visitor, values } = sent;
    let mut response = go(own_path(values.get("next")));
    let cookie = theme_cookie(&visitor.app.settings, Theme::of(values.get("theme")));
    response.headers_mut().append(header::SET_COOKIE, cookie);
    Ok(response)
}
