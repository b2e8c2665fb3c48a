//! The API as a client uses it.

use std::time::Duration;

use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use super::process::Server;
use super::until;

/// How long an answer may take: longer than the server lets any request take.
const PATIENCE: Duration = Duration::from_secs(40);

pub(crate) fn client() -> reqwest::Client {
    reqwest::Client::builder()
        .no_proxy()
        .timeout(PATIENCE)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .expect("a client")
}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default()
    }
}

/// Sends a request; `Err` when there was no answer.
pub(crate) async fn send(request: reqwest::RequestBuilder) -> Result<Answer, String> {
    let answer = request.send().await.map_err(|e| format!("{e:?}"))?;
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let text = answer.text().await.map_err(|e| format!("{e:?}"))?;
    Ok(Answer { status, headers, text })
}

/// A key of an organisation.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) http: reqwest::Client,
    pub(crate) base: String,
    pub(crate) key: String,
}

impl Api {
    /// Makes the first account with the token that the server printed, and a key that may do everything.
    pub(crate) async fn first(server: &Server) -> Self {
        let (http, base) = (client(), server.base.clone());
        let token = server.token.as_deref().expect("nobody has an account yet");
        let account = json!({
            "token": token, "email": "ada@example.test", "name": "Ada",
            "password": "a long enough password", "organisation": "Example",
        });
        let made =
            send(http.post(format!("{base}/api/v1/first-run")).json(&account)).await.expect("answered");
        assert_eq!(made.status, 201, "{made:?}");
        let cookie = made.header("set-cookie").split(';').next().expect("a cookie").to_owned();
        let asked = json!({ "name": "tests", "scopes": ["read", "write", "admin"] });
        let key = http
            .post(format!("{base}/api/v1/keys"))
            .header("cookie", cookie)
            .header("sec-fetch-site", "same-origin")
            .json(&asked);
        let key = send(key).await.expect("answered");
        assert_eq!(key.status, 201, "{key:?}");
        let key = key.json()["key"].as_str().expect("the whole key").to_owned();
        Self { http, base, key }
    }

    /// The same key at another server on the same database.
    pub(crate) fn at(&self, server: &Server) -> Self {
        Self { base: server.base.clone(), http: client(), key: self.key.clone() }
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = method.parse().expect("a method");
        self.http.request(method, format!("{}{path}", self.base)).bearer_auth(&self.key)
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let answer = send(self.request("GET", &format!("/api/v1{path}"))).await.expect("answered");
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.json()
    }

    pub(crate) async fn items(&self, path: &str) -> Vec<Value> {
        self.get(path).await["items"].as_array().expect("a list").clone()
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        send(self.request("POST", &format!("/api/v1{path}")).json(body)).await.expect("answered")
    }

    async fn put(&self, path: &str, body: &Value) -> Value {
        let answer = send(self.request("PUT", &format!("/api/v1{path}")).json(body)).await.expect("answered");
        assert!(matches!(answer.status, 200 | 201), "{path}: {answer:?}");
        answer.json()
    }

    /// Makes a monitor that is checked as often as is possible; gives its id.
    pub(crate) async fn monitor(&self, name: &str, check: Value, more: Value) -> String {
        let mut spec = json!({
            "name": name, "interval_s": 10, "retry_s": 5, "timeout_ms": 3000, "fail_after": 1, "recover_after": 1, "check": check,
        });
        for (key, value) in more.as_object().into_iter().flatten() {
            spec[key] = value.clone();
        }
        let made = self.put(&format!("/monitors/by-external-id/{name}"), &spec).await;
        made["id"].as_str().expect("an id").to_owned()
    }

    /// Makes a webhook; gives its id.
    pub(crate) async fn webhook(&self, url: &str) -> String {
        let asked = json!({ "name": "Ops", "kind": "webhook", "config": { "url": url } });
        let made = self.put("/channels/by-external-id/ops", &asked).await;
        made["id"].as_str().expect("an id").to_owned()
    }

    /// Makes heartbeats; gives the secret part of each one's URL.
    pub(crate) async fn heartbeats(&self, count: usize) -> Vec<String> {
        let mut ids = Vec::new();
        for n in 0..count {
            let asked = json!({ "name": format!("Job {n}"), "period_s": 86_400 });
            let made = self.put(&format!("/heartbeats/by-external-id/job-{n}"), &asked).await;
            ids.push(made["id"].as_str().expect("an id").to_owned());
        }
        ids
    }

    /// Waits until a monitor has this verdict.
    pub(crate) async fn verdict(&self, monitor: &str, verdict: &str) -> Value {
        until(&format!("the verdict {verdict}"), 40, async || {
            let seen = self.get(&format!("/monitors/{monitor}")).await;
            if seen["verdict"] == verdict { Ok(seen) } else { Err(seen) }
        })
        .await
    }

    /// Waits until a monitor has so many results; newest first.
    pub(crate) async fn results(&self, monitor: &str, count: usize) -> Vec<Value> {
        until(&format!("{count} results"), 40, async || {
            let seen = self.items(&format!("/monitors/{monitor}/results?limit=500")).await;
            if seen.len() >= count { Ok(seen) } else { Err(seen) }
        })
        .await
    }

    /// The bodies of all pings that the server has.
    pub(crate) async fn pings(&self, heartbeats: usize) -> std::collections::BTreeSet<String> {
        let mut bodies = std::collections::BTreeSet::new();
        for n in 0..heartbeats {
            for ping in self.items(&format!("/heartbeats/by-external-id/job-{n}/pings?limit=500")).await {
                bodies.insert(ping["body"].as_str().unwrap_or_default().to_owned());
            }
        }
        bodies
    }
}
