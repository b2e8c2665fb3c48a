//! The explanation in other words, by a language model that the user names. Off unless asked for.
//!
//! The model gets the explanation, masked, and nothing else. What it gives back is shown only if it adds nothing: no cause, no number, no name, no command that the explanation does not have.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use bytes::Bytes;
use jiff::Timestamp;
use landfall_diagnosis::{Catalogue, Diagnosis};
use landfall_evidence::{Header, redact_text};
use landfall_probe::http::{Request, fetch};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::config::Config;
use crate::plan::{Overrides, Plan, PlanError};

/// How long a model may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Longest answer that is looked at, in characters.
const LONGEST: usize = 6_000;

/// Which model, and how to reach it: `[rephrase]` in landfall.toml.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rephraser {
    /// Base URL of an interface of OpenAI's form, for instance `http://127.0.0.1:11434/v1`; `/chat/completions` is added.
    pub url: Url,
    /// The model's name.
    pub model: String,
    /// The environment variable that holds the key; none for a model that wants no key.
    pub key_env: Option<String>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rephrased {
    /// The same in other words.
    Text(String),
    /// The explanation stays as it is, for this reason.
    Kept(String),
}

#[derive(Serialize)]
struct Asked<'a> {
    model: &'a str,
    temperature: u8,
    messages: [Message<'a>; 2],
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'a str,
    content: &'a str,
}

#[derive(Deserialize)]
struct Answered {
    choices: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    message: Content,
}

#[derive(Deserialize)]
struct Content {
    content: String,
}

const TASK: &str = "Rewrite the paragraph below for a tired engineer: one paragraph, plain words, the same facts in the \
same order. Add no cause, no number, no name and no command that is not in it. Keep commands, hosts and numbers letter by \
letter. Answer with the paragraph alone.";

/// Asks the model for the explanation in other words. Never fails: whatever goes wrong, the explanation stays as it is.
///
/// # Errors
/// When the configuration's resolvers, address map or root certificates cannot be used.
pub async fn rephrase(
    rephraser: &Rephraser,
    config: &Config,
    diagnosis: &Diagnosis,
    catalogue: &Catalogue,
) -> Result<Rephrased, PlanError> {
    let kept = |why: String| Ok(Rephrased::Kept(redact_text(&why)));
    let key = match &rephraser.key_env {
        Some(name) => match std::env::var(name) {
            Ok(key) if !key.is_empty() => Some(key),
            _ => return kept(format!("the environment has no {name}, which [rephrase] names as the key")),
        },
        None => None,
    };
    let asked = Asked {
        model: &rephraser.model,
        temperature: 0,
        messages: [
            Message { role: "system", content: TASK },
            Message { role: "user", content: &diagnosis.explanation },
        ],
    };
    let Ok(body) = serde_json::to_vec(&asked) else {
        return kept("the question cannot be written as JSON".to_owned());
    };
    let header = |name: &str, value: String| Header { name: name.to_owned(), value };
    let mut headers = vec![
        header("content-type", "application/json".to_owned()),
        header("accept", "application/json".to_owned()),
    ];
    headers.extend(key.map(|key| header("authorization", format!("Bearer {key}"))));
    let mut url = rephraser.url.clone();
    url.set_path(&format!("{}/chat/completions", rephraser.url.path().trim_end_matches('/')));

    let started = Instant::now();
    // Resolvers, address map and roots are those of an audit; whom it is about plays no part.
    let said = Overrides { production: Some(rephraser.url.to_string()), ..Overrides::default() };
    let mut ctx = crate::run::context(&Plan::new(config, &said)?, started)?;
    ctx.deadline = started + PATIENCE;
    let request = Request {
        method: http::Method::POST,
        url,
        headers,
        body: Bytes::from(body),
        // A key does not follow a redirect, and neither does the paragraph.
        redirects: 0,
        family: None,
        connect_to: None,
    };
    let fetched = fetch(&ctx, request, Timestamp::now()).await;
    let answer = &fetched.last().answer;
    let Some(response) = answer.present() else {
        return kept(format!("the language model did not answer: {}", answer.describe()));
    };
    if response.status != 200 {
        return kept(format!("the language model answered {}", response.status));
    }
    let text = response.body.text.as_deref().unwrap_or_default();
    let Ok(answered) = serde_json::from_str::<Answered>(text) else {
        return kept("the language model's answer is not of the form of /chat/completions".to_owned());
    };
    let Some(choice) = answered.choices.first() else {
        return kept("the language model gave no choice".to_owned());
    };
    Ok(match adds_nothing(&diagnosis.explanation, &choice.message.content, catalogue) {
        Ok(text) => Rephrased::Text(text),
        Err(why) => Rephrased::Kept(format!("what the language model wrote is not shown: {why}")),
    })
}

/// The text as one paragraph, when it says nothing that the explanation does not say.
fn adds_nothing(explanation: &str, text: &str, catalogue: &Catalogue) -> Result<String, String> {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.len() < 20 {
        return Err("it is empty".to_owned());
    }
    if text.chars().count() > LONGEST.min(2 * explanation.chars().count() + 200) {
        return Err("it is longer than twice the explanation".to_owned());
    }
    let (from, to) = (explanation.to_lowercase(), text.to_lowercase());
    for fault in catalogue.faults() {
        for name in [fault.id.to_lowercase(), fault.title.to_lowercase()] {
            if to.contains(&name) && !from.contains(&name) {
                return Err(format!("it brings in the cause {}", fault.id));
            }
        }
    }
    let known: BTreeSet<&str> = exact(&from).collect();
    match exact(&to).find(|word| !known.contains(word)) {
        Some(word) => Err(format!("it brings in {word:?}")),
        None => Ok(text),
    }
}

/// The words that have to be kept letter by letter: numbers, host names, paths, flags, variables.
fn exact(text: &str) -> impl Iterator<Item = &str> {
    let edge = |c: char| !c.is_alphanumeric() && !matches!(c, '/' | '-' | '$' | '_');
    text.split(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | '"' | '`' | ',' | ';'))
        .map(move |word| word.trim_matches(edge))
        .filter(|word| {
            let inner = word.trim_matches('.');
            word.chars().any(|c| c.is_ascii_digit())
                || inner.contains(['.', '/', '$', '_', '=', '@'])
                || word.starts_with("--")
        })
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use landfall_diagnosis::diagnose;
    use landfall_evidence::Evidence;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    fn catalogue() -> &'static Catalogue {
        Catalogue::embedded()
    }

    const TOLD: &str =
        "Every path of api.example.test gets 404. That is likely (83 %). Do this first: run `fly deploy`.";

    #[test]
    fn the_same_in_other_words_is_shown() {
        let said =
            "api.example.test answers 404 on every path.\nThis is likely (83 %), so run `fly deploy` first.";
        let text = adds_nothing(TOLD, said, catalogue()).expect("it adds nothing");
        assert!(!text.contains('\n'), "{text}");
    }

    #[test]
    fn whatever_is_added_is_named() {
        let cases = [
            ("All is well with the deployment and you can sleep, 99 % sure of it.", "99"),
            (
                "Every path of api.example.test gets 404 because of record-missing in the zone.",
                "record-missing",
            ),
            (
                "Every path of api.example.test gets 404, ask support.example.org for help.",
                "support.example.org",
            ),
            ("Every path of api.example.test gets 404. Run `rm -rf /srv` and deploy again.", "/srv"),
            ("  ", "empty"),
        ];
        for (said, want) in cases {
            let why = adds_nothing(TOLD, said, catalogue()).expect_err(said);
            assert!(why.contains(want), "{said}: {why}");
        }
        assert!(adds_nothing(TOLD, &"word ".repeat(400), catalogue()).is_err());
    }

    /// A model on loopback that answers every request with these bytes, and what it was asked.
    async fn model(answer: String) -> (Url, Arc<Mutex<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/v1", listener.local_addr().expect("bound"));
        let asked: Arc<Mutex<String>> = Arc::default();
        let log = asked.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut bytes = vec![0; 64 * 1024];
                let mut got = 0;
                while let Ok(n @ 1..) = stream.read(&mut bytes[got..]).await {
                    got += n;
                    let text = String::from_utf8_lossy(&bytes[..got]).into_owned();
                    let length = text.lines().find_map(|l| {
                        l.to_lowercase().strip_prefix("content-length: ")?.trim().parse::<usize>().ok()
                    });
                    let body = text.split_once("\r\n\r\n").map_or(0, |(_, body)| body.len());
                    if length.is_some_and(|length| body >= length) {
                        *log.lock().expect("not poisoned") = text;
                        break;
                    }
                }
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        (url.parse().expect("valid"), asked)
    }

    fn ok(body: &str) -> String {
        format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        )
    }

    fn says(text: &str) -> String {
        ok(&serde_json::json!({ "choices": [{ "message": { "role": "assistant", "content": text } }] })
            .to_string())
    }

    fn diagnosis() -> Diagnosis {
        let empty = serde_json::json!({
            "schema": landfall_evidence::SCHEMA,
            "tool": { "name": "landfall", "version": "0" },
            "target": { "name": "x", "production": "https://api.example.test/", "origin": null, "local": null, "project": null, "endpoints": [] },
            "started_at": "2026-01-01T00:00:00Z", "took_us": 0,
            "settings": { "timeout_ms": 1, "budget": 1, "skipped": [], "resolvers": [], "mapped": false, "user_agent": "x" },
            "requests": { "total": 0, "by_host": {} }, "observations": []
        });
        let evidence = Evidence::from_json(&empty.to_string()).expect("evidence without observations");
        Diagnosis { explanation: TOLD.to_owned(), ..diagnose(&evidence, catalogue()) }
    }

    async fn asked(url: Url, key_env: Option<&str>) -> Rephrased {
        let rephraser = Rephraser { url, model: "small".into(), key_env: key_env.map(str::to_owned) };
        rephrase(&rephraser, &Config::default(), &diagnosis(), catalogue()).await.expect("no file is read")
    }

    #[tokio::test]
    async fn a_model_gets_the_explanation_alone_and_is_believed_when_it_adds_nothing() {
        let good = "Every path of api.example.test gets 404; likely (83 %). Run `fly deploy` first.";
        let (url, got) = model(says(good)).await;
        assert_eq!(asked(url, None).await, Rephrased::Text(good.to_owned()));
        let got = got.lock().expect("not poisoned").clone();
        assert!(got.starts_with("POST /v1/chat/completions HTTP/1.1"), "{got}");
        assert!(got.contains("fly deploy") && got.contains("\"model\":\"small\""), "{got}");
        assert!(!got.to_lowercase().contains("authorization"), "{got}");
    }

    #[tokio::test]
    async fn whatever_goes_wrong_the_explanation_stays() {
        let cases = [
            (says("It is the database at db.internal.example."), "db.internal.example"),
            (ok("not json"), "not of the form"),
            (ok(r#"{"choices":[]}"#), "no choice"),
            ("HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n".to_owned(), "answered 401"),
            (String::new(), "did not answer"),
        ];
        for (answer, want) in cases {
            let (url, _) = model(answer).await;
            match asked(url, None).await {
                Rephrased::Kept(why) => assert!(why.contains(want), "{want}: {why}"),
                Rephrased::Text(text) => panic!("{want}: {text}"),
            }
        }
        let (url, got) = model(says("unused")).await;
        let kept = asked(url, Some("LANDFALL_TEST_NO_SUCH_KEY")).await;
        assert!(
            matches!(&kept, Rephrased::Kept(why) if why.contains("LANDFALL_TEST_NO_SUCH_KEY")),
            "{kept:?}"
        );
        assert!(got.lock().expect("not poisoned").is_empty(), "nothing is sent without the key");
    }
}
