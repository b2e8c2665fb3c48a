//! Whether the services that support relies on work, found out by a cheap real call to each.
//!
//! A key in a variable proves nothing: it may be revoked, mistyped, or a URL pasted into the wrong place. So each service
//! that is set is called in the background, at most every [`REFRESH`], and the health route says what came of it.

use std::time::Duration;

use http::StatusCode;
use serde_json::Value;

use super::{ModelSettings, TelegramSettings, WhatsAppSettings};
use crate::live::ProviderState;
use crate::{App, outbound};

/// Between two rounds of calls.
pub const REFRESH: Duration = Duration::from_secs(300);

/// How long one call may take.
const DEADLINE: Duration = Duration::from_secs(10);
const BODY: usize = 1024 * 1024;

/// Calls every service that is set, at the same time, and notes how it went. Returns how many worked and how many are set.
pub async fn refresh(app: &App) -> (u32, u32) {
    let settings = &app.settings.support;
    let (model, telegram, whatsapp) = tokio::join!(
        maybe(settings.model.as_ref().map(ask_model)),
        maybe(settings.telegram.as_ref().map(ask_telegram)),
        maybe(settings.whatsapp.as_ref().map(ask_whatsapp)),
    );
    let now = app.clock.now();
    let (mut worked, mut set) = (0, 0);
    app.live.note_providers(|known| {
        for (name, ended, state) in [
            ("openai", model, &mut known.openai),
            ("telegram", telegram, &mut known.telegram),
            ("whatsapp", whatsapp, &mut known.whatsapp),
        ] {
            let Some(ended) = ended else { continue };
            set += 1;
            worked += u32::from(ended.is_ok());
            if let Err(error) = &ended {
                tracing::warn!(service = name, error, "a service that support relies on does not work");
            }
            note(state, ended, now);
        }
    });
    (worked, set)
}

fn note(state: &mut ProviderState, ended: Result<(), String>, now: jiff::Timestamp) {
    // Within one tick of the clock the later word counts.
    if ended.is_ok() && state.error.as_ref().is_some_and(|e| e.0 == now) {
        state.error = None;
    }
    if ended.is_err() && state.success == Some(now) {
        state.success = None;
    }
    state.note(ended, now);
}

/// Calls the services now and then for as long as the server lives.
pub async fn refresh_loop(app: App) {
    loop {
        let _counted = refresh(&app).await;
        let next = app.clock.now().checked_add(REFRESH).unwrap_or(jiff::Timestamp::MAX);
        app.clock.sleep_until(next).await;
    }
}

async fn maybe<F: Future<Output = Result<(), String>>>(call: Option<F>) -> Option<Result<(), String>> {
    let call = call?;
    Some(match tokio::time::timeout(DEADLINE, call).await {
        Ok(ended) => ended,
        Err(_) => Err("no answer in time".into()),
    })
}

async fn json(response: Result<reqwest::Response, reqwest::Error>) -> Result<(StatusCode, Value), String> {
    let response = response.map_err(|e| outbound::words(&e))?;
    let status = response.status();
    let body = outbound::body(response, BODY).await?;
    Ok((status, serde_json::from_slice(&body).unwrap_or(Value::Null)))
}

/// Lists the models (<https://platform.openai.com/docs/api-reference/models/list>): the key works, and the model is there.
async fn ask_model(settings: &ModelSettings) -> Result<(), String> {
    let mut request = outbound::client(&settings.api_base).get(outbound::join(&settings.api_base, "models"));
    if !settings.api_key.is_empty() {
        request = request.bearer_auth(settings.api_key.expose());
    }
    let (status, body) = json(request.send().await).await?;
    if !status.is_success() {
        return Err(format!("HTTP {} to the list of models", status.as_u16()));
    }
    let Some(models) = body.get("data").and_then(Value::as_array) else {
        return Err("the list of models has another shape".into());
    };
    if !models.iter().any(|m| m.get("id").and_then(Value::as_str) == Some(settings.model.as_str())) {
        return Err(format!("the service has no model {:?}", settings.model));
    }
    Ok(())
}

/// `getMe` (<https://core.telegram.org/bots/api#getme>).
async fn ask_telegram(settings: &TelegramSettings) -> Result<(), String> {
    let url = outbound::join(&settings.api_base, &format!("bot{}/getMe", settings.token.expose()));
    let (status, body) = json(outbound::client(&settings.api_base).get(url).send().await).await?;
    if !status.is_success() || body.get("ok") != Some(&Value::Bool(true)) {
        return Err(format!("HTTP {} to getMe", status.as_u16()));
    }
    if body.pointer("/result/is_bot") != Some(&Value::Bool(true)) {
        return Err("getMe names no bot".into());
    }
    Ok(())
}

/// Reads the phone number
/// (<https://developers.facebook.com/docs/graph-api/reference/whats-app-business-account-to-number-current-status/>).
async fn ask_whatsapp(settings: &WhatsAppSettings) -> Result<(), String> {
    let path = format!("{}?fields=id,display_phone_number", settings.phone_number_id);
    let request = outbound::client(&settings.api_base)
        .get(outbound::join(&settings.api_base, &path))
        .bearer_auth(settings.token.expose());
    let (status, body) = json(request.send().await).await?;
    if !status.is_success() {
        return Err(format!("HTTP {} to the phone number", status.as_u16()));
    }
    if body.get("id").and_then(Value::as_str) != Some(settings.phone_number_id.as_str()) {
        return Err("the answer is about another phone number".into());
    }
    Ok(())
}
