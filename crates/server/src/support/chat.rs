//! The chat: a question about an incident or a report, and an honest answer.

use futures_util::{Stream, StreamExt as _};
use http::StatusCode;
use jiff::SignedDuration;
use landfall_store::Id;
use landfall_store::support::{About, Conversation, Subject};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ModelSettings, model, rules};
use crate::billing::{check_room, limits_of};
use crate::problem::FieldError;
use crate::{App, Principal, Problem, Right};

/// Characters of a question at most.
pub(crate) const QUESTION: usize = 4_000;
/// Messages of a conversation at most.
pub(crate) const MESSAGES: u64 = 200;
/// Earlier messages that a model sees.
const HISTORY: u32 = 10;
/// Calls to the model at the same time; more wait for nothing and get the rules' answer.
static CALLS: tokio::sync::Semaphore = tokio::sync::Semaphore::const_new(4);

/// A question.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// The words, at most 4000 characters.
    #[schema(min_length = 1, max_length = 4000)]
    pub message: String,
    /// The conversation that it goes on with; a new one when absent.
    #[serde(default, rename = "conversationId")]
    pub conversation_id: Option<String>,
    /// The incident that it is about. The newest open one, else the newest report, when neither is named.
    #[serde(default)]
    pub incident: Option<String>,
    /// The report that it is about.
    #[serde(default)]
    pub report: Option<String>,
    /// Whether the answer is to come as server-sent events.
    #[serde(default)]
    pub stream: bool,
}

/// Who answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AnsweredBy {
    /// Rules, from what is stored.
    Rules,
    /// A language model. Its words are its own and may be wrong.
    Model,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Answer {
    /// The words.
    pub reply: String,
    /// Who answered.
    pub answered_by: AnsweredBy,
    /// Whether the question was answered. `false`: it was not understood, or there is no answer, and the reply says so.
    pub answered: bool,
    /// Whether a person should be asked.
    #[serde(rename = "escalationSuggested")]
    pub escalation_suggested: bool,
    /// Why a model that is configured did not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_problem: Option<String>,
    /// What the words are worth, when a model said them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notice: Option<String>,
    /// The conversation.
    #[serde(rename = "conversationId")]
    pub conversation_id: String,
}

/// What is said beside a model's words.
pub(crate) const NOTICE: &str =
    "A language model wrote this from masked facts. It may be wrong, and it cannot act.";

fn field(name: &str, detail: &str) -> Problem {
    Problem::invalid(vec![FieldError { field: name.into(), detail: detail.into() }])
}

pub(crate) fn id(name: &str, text: &str) -> Result<Id, Problem> {
    text.parse().map_err(|_| field(name, "is not an id"))
}

struct Prepared {
    conversation: Conversation,
    question: String,
    subject: Option<Subject>,
    by_rules: Option<String>,
    history: Vec<(String, String)>,
}

async fn prepare(app: &App, who: &Principal, question: &Question) -> Result<Prepared, Problem> {
    who.require(Right::Read)?;
    let words = question.message.trim();
    if words.is_empty() || words.chars().count() > QUESTION {
        return Err(field("/message", "must have 1 to 4000 characters"));
    }
    let named = match (&question.incident, &question.report) {
        (Some(_), Some(_)) => return Err(field("/report", "name an incident or a report, not both")),
        (Some(incident), None) => Some(About::Incident(id("/incident", incident)?)),
        (None, Some(report)) => Some(About::Report(id("/report", report)?)),
        (None, None) => None,
    };
    let now = app.clock.now();
    let day_ago = now.checked_sub(SignedDuration::from_hours(24)).unwrap_or(jiff::Timestamp::MIN);
    let limits = limits_of(&app.settings.billing, &who.tenant).await?;
    check_room(
        "questions to support in a day",
        who.tenant.questions_since(day_ago).await?,
        limits.support_per_day,
    )?;
    let known = match &question.conversation_id {
        Some(text) => Some(who.tenant.conversation(id("/conversationId", text)?).await?),
        None => None,
    };
    let about = named.or(known.as_ref().and_then(|k| k.about));
    // Before anything is stored: what is not there, or somebody else's, opens no conversation.
    let subject = who.tenant.subject(about).await?;
    let conversation = match known {
        Some(known) => known,
        None => who.tenant.begin_conversation(about, &who.name, now).await?,
    };
    if conversation.messages + 2 > MESSAGES {
        return Err(full());
    }
    let history = who.tenant.lines(conversation.id, HISTORY).await?;
    Ok(Prepared {
        by_rules: rules::answer(words, subject.as_ref(), now),
        conversation,
        question: words.to_owned(),
        subject,
        history: history.into_iter().map(|l| (l.who, l.body)).collect(),
    })
}

fn full() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        format!("a conversation has at most {MESSAGES} messages; begin a new one"),
    )
}

impl Prepared {
    fn by_rules(&self, model_problem: Option<String>) -> Answer {
        let (reply, answered) = match &self.by_rules {
            Some(text) => (text.clone(), true),
            None => (format!("I do not know what to say to that. {}", rules::CAN_SAY), false),
        };
        Answer {
            reply,
            answered_by: AnsweredBy::Rules,
            answered,
            escalation_suggested: !answered || wants_a_person(&self.question),
            model_problem,
            notice: None,
            conversation_id: self.conversation.id.to_string(),
        }
    }

    fn by_model(&self, reply: String) -> Answer {
        Answer {
            reply,
            answered_by: AnsweredBy::Model,
            answered: true,
            escalation_suggested: wants_a_person(&self.question),
            model_problem: None,
            notice: Some(NOTICE.into()),
            conversation_id: self.conversation.id.to_string(),
        }
    }

    fn messages(&self, app: &App) -> Vec<serde_json::Value> {
        model::messages(&self.context(app), &self.history, &self.question)
    }

    /// What a model may know: what the rules could say, all of it.
    fn context(&self, app: &App) -> String {
        let Some(subject) = &self.subject else {
            return "Nothing is open, and no audit was made yet.".into();
        };
        let now = app.clock.now();
        ["status", "why", "evidence", "what should I do", "what changed", "what else", "by hand"]
            .iter()
            .filter_map(|q| rules::answer(q, Some(subject), now))
            .collect::<Vec<_>>()
            .join("\n\n")
    }
}

/// Whether somebody asks for a person, or is about to leave.
fn wants_a_person(question: &str) -> bool {
    let text = question.to_lowercase();
    [
        "human",
        "real person",
        "a person",
        "ticket",
        "escalate",
        "speak to someone",
        "talk to someone",
        "refund",
        "lawyer",
        "cancel my",
    ]
    .iter()
    .any(|w| text.contains(w))
}

async fn keep(app: &App, who: &Principal, prepared: &Prepared, answer: &Answer) -> Result<(), Problem> {
    let by = match answer.answered_by {
        AnsweredBy::Rules => "rules",
        AnsweredBy::Model => "model",
    };
    let lines = [("person", prepared.question.as_str()), (by, answer.reply.as_str())];
    if who.tenant.say(prepared.conversation.id, &lines, MESSAGES, app.clock.now()).await? {
        Ok(())
    } else {
        Err(full())
    }
}

fn note(app: &App, ended: Result<(), String>) {
    let now = app.clock.now();
    app.live.note_providers(|known| known.openai.note(ended, now));
}

/// Answers a question.
///
/// # Errors
/// 402 above the plan's limit, 404 for what is not there, 409 for a full conversation, 422 for what is not valid.
pub async fn ask(app: &App, who: &Principal, question: &Question) -> Result<Answer, Problem> {
    let prepared = prepare(app, who, question).await?;
    let answer = match (&prepared.by_rules, &app.settings.support.model) {
        (None, Some(settings)) => match CALLS.try_acquire() {
            Err(_) => prepared.by_rules(Some("too many questions at once".into())),
            Ok(_permit) => match model::complete(settings, &prepared.messages(app)).await {
                Ok(reply) => {
                    note(app, Ok(()));
                    prepared.by_model(reply)
                }
                Err(why) => {
                    tracing::warn!(error = %why, "the model did not answer");
                    note(app, Err(why.clone()));
                    prepared.by_rules(Some(why))
                }
            },
        },
        _ => prepared.by_rules(None),
    };
    keep(app, who, &prepared, &answer).await?;
    Ok(answer)
}

/// One piece of a streamed answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Words of the model as they come.
    Words(String),
    /// The answer, complete. After a model's failure it takes the place of the words that came.
    Done(Answer),
    /// It could not be kept.
    Failed(Problem),
}

/// Answers a question piece by piece. What the rules can answer comes whole, as the only piece.
pub(crate) async fn ask_streaming(
    app: App,
    who: Principal,
    question: Question,
) -> Result<impl Stream<Item = Piece> + Send, Problem> {
    let prepared = prepare(&app, &who, &question).await?;
    Ok(async_stream::stream! {
        let settings: Option<ModelSettings> = match &prepared.by_rules {
            Some(_) => None,
            None => app.settings.support.model.clone(),
        };
        let mut answer = None;
        if let Some(settings) = settings {
            match CALLS.try_acquire() {
                Err(_) => answer = Some(prepared.by_rules(Some("too many questions at once".into()))),
                Ok(_permit) => {
                    let words = model::stream(settings, prepared.messages(&app));
                    tokio::pin!(words);
                    let mut all = String::new();
                    let mut sent = String::new();
                    while let Some(piece) = words.next().await {
                        match piece {
                            Ok(text) => {
                                all.push_str(&text);
                                // A secret may be cut in two by the stream, so only whole words leave, masked with what
                                // stands before them; the last word waits for the end.
                                if let Some(end) = all.rfind(char::is_whitespace) {
                                    let clean = model::cleaned(&all[..end]);
                                    if let Some(new) = clean.strip_prefix(sent.as_str()).filter(|n| !n.is_empty()) {
                                        yield Piece::Words(new.to_owned());
                                        sent = clean;
                                    }
                                }
                            }
                            Err(why) => {
                                tracing::warn!(error = %why, "the model did not answer");
                                note(&app, Err(why.clone()));
                                answer = Some(prepared.by_rules(Some(why)));
                                break;
                            }
                        }
                    }
                    if answer.is_none() {
                        note(&app, Ok(()));
                        let clean = model::cleaned(all.trim_end());
                        if let Some(new) = clean.strip_prefix(sent.as_str()).filter(|n| !n.is_empty()) {
                            yield Piece::Words(new.to_owned());
                        }
                        answer = Some(prepared.by_model(clean.trim().to_owned()));
                    }
                }
            }
        }
        let answer = answer.unwrap_or_else(|| prepared.by_rules(None));
        match keep(&app, &who, &prepared, &answer).await {
            Ok(()) => yield Piece::Done(answer),
            Err(problem) => yield Piece::Failed(problem),
        }
    })
}
