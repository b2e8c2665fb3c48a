//! Support: conversations, tickets, and the chats of bots that somebody linked to an organisation.

use jiff::Timestamp;

use crate::{Id, OrgId, Page, Row, Store, StoreError, Tenant, Tx, params};

/// What a conversation is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// An incident.
    Incident(Id),
    /// The report of an audit.
    Report(Id),
}

impl About {
    /// Its word in the store and in the API.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Incident(_) => "incident",
            Self::Report(_) => "report",
        }
    }

    /// The id of the thing.
    pub fn id(self) -> Id {
        match self {
            Self::Incident(id) | Self::Report(id) => id,
        }
    }

    fn of(row: &Row) -> Result<Option<Self>, StoreError> {
        Ok(match (row.opt_text("about_kind")?.as_deref(), row.opt_id("about_id")?) {
            (Some("incident"), Some(id)) => Some(Self::Incident(id)),
            (Some("report"), Some(id)) => Some(Self::Report(id)),
            _ => None,
        })
    }
}

/// A conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversation {
    /// Its id.
    pub id: Id,
    /// What it is about.
    pub about: Option<About>,
    /// Who began it.
    pub opened_by: String,
    /// How many messages it has.
    pub messages: u64,
}

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// When.
    pub at: Timestamp,
    /// `person`, `rules`, `model`.
    pub who: String,
    /// The words.
    pub body: String,
}

/// A ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    /// Its id.
    pub id: Id,
    /// The conversation that led to it.
    pub conversation: Option<Id>,
    /// What it is about.
    pub about: Option<About>,
    /// Who opened it.
    pub opened_by: String,
    /// Where an answer should go.
    pub email: Option<String>,
    /// What they wrote.
    pub message: String,
    /// `open` or `closed`.
    pub state: String,
    /// When it was opened.
    pub created: Timestamp,
    /// When it was last changed.
    pub updated: Timestamp,
}

/// A chat that is linked to an organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The organisation.
    pub org: OrgId,
    /// `reader` or `editor`.
    pub role: String,
    /// Who made the code.
    pub linked_by: String,
    /// When.
    pub linked: Timestamp,
}

/// An answer that is owed to a chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owed {
    /// `telegram` or `whatsapp`.
    pub provider: String,
    /// The update that is answered.
    pub update: String,
    /// The chat.
    pub chat: String,
    /// The words.
    pub reply: String,
    /// How often it was tried.
    pub attempts: i64,
}

/// What a bot came to know of its message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redeemed {
    /// The code was good: the chat is linked.
    Linked(Link),
    /// There is no such code, or it was used or is too old.
    Wrong,
    /// Too many wrong codes came from this chat.
    Locked,
}

impl Tenant {
    /// Begins a conversation.
    ///
    /// # Errors
    /// When the database fails; likewise for all that follow.
    pub async fn begin_conversation(
        &self,
        about: Option<About>,
        by: &str,
        now: Timestamp,
    ) -> Result<Conversation, StoreError> {
        let id = Id::new();
        self.store
            .execute(
                "INSERT INTO support_conversations (id, org_id, about_kind, about_id, opened_by, created_us, updated_us)
                 VALUES ($1, $2, $3, $4, $5, $6, $6)",
                params![id, self.org, about.map(About::kind), about.map(About::id), by, now],
            )
            .await?;
        Ok(Conversation { id, about, opened_by: by.into(), messages: 0 })
    }

    /// A conversation. [`StoreError::Missing`] when it is not there, or somebody else's.
    pub async fn conversation(&self, id: Id) -> Result<Conversation, StoreError> {
        let row = self
            .store
            .query_opt(
                "SELECT id, about_kind, about_id, opened_by, messages FROM support_conversations
                 WHERE id = $1 AND org_id = $2",
                params![id, self.org],
            )
            .await?
            .ok_or(StoreError::Missing { what: "conversation" })?;
        Ok(Conversation {
            id: row.id("id")?,
            about: About::of(&row)?,
            opened_by: row.text("opened_by")?,
            messages: row.count("messages")?,
        })
    }

    /// Adds a question and its answer, together or not at all. `false` when the conversation has `most` messages already.
    pub async fn say(
        &self,
        conversation: Id,
        lines: &[(&str, &str)],
        most: u64,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut tx = self.store.begin().await?;
        let room = tx
            .execute(
                "UPDATE support_conversations SET messages = messages + $3, updated_us = $4
                 WHERE id = $1 AND org_id = $2 AND messages + $3 <= $5",
                params![conversation, self.org, lines.len(), now, most],
            )
            .await?;
        if room == 0 {
            return Ok(false);
        }
        for (who, body) in lines {
            tx.execute(
                "INSERT INTO support_messages (id, conversation_id, org_id, at_us, who, body)
                 VALUES ($1, $2, $3, $4, $5, $6)",
                params![Id::new(), conversation, self.org, now, *who, *body],
            )
            .await?;
        }
        tx.commit().await?;
        Ok(true)
    }

    /// The last messages of a conversation, oldest first.
    pub async fn lines(&self, conversation: Id, most: u32) -> Result<Vec<Line>, StoreError> {
        let rows = self
            .store
            .query(
                "SELECT at_us, who, body FROM support_messages WHERE conversation_id = $1 AND org_id = $2
                 ORDER BY id DESC LIMIT $3",
                params![conversation, self.org, most],
            )
            .await?;
        rows.iter()
            .rev()
            .map(|r| Ok(Line { at: r.time("at_us")?, who: r.text("who")?, body: r.text("body")? }))
            .collect()
    }

    /// A ticket.
    pub async fn ticket(&self, id: Id) -> Result<Ticket, StoreError> {
        let row = self
            .store
            .query_opt(&format!("{TICKET} WHERE id = $1 AND org_id = $2"), params![id, self.org])
            .await?;
        row.as_ref().map(ticket).transpose()?.ok_or(StoreError::Missing { what: "ticket" })
    }

    /// Tickets, newest first.
    pub async fn tickets(&self, state: Option<&str>, page: Page) -> Result<Vec<Ticket>, StoreError> {
        let mut sql = format!("{TICKET} WHERE org_id = $1");
        let mut values = vec![crate::Value::from(self.org)];
        if let Some(state) = state {
            values.push(state.into());
            sql.push_str(&format!(" AND state = ${}", values.len()));
        }
        if let Some(after) = page.after {
            values.push(after.into());
            sql.push_str(&format!(" AND id < ${}", values.len()));
        }
        values.push(page.fetch().into());
        sql.push_str(&format!(" ORDER BY id DESC LIMIT ${}", values.len()));
        let rows = self.store.query(&sql, &values).await?;
        rows.iter().map(ticket).collect()
    }

    /// Closes a ticket. `false` when it was closed already.
    pub async fn close_ticket(&self, id: Id, now: Timestamp) -> Result<bool, StoreError> {
        self.ticket(id).await?;
        let changed = self
            .store
            .execute(
                "UPDATE support_tickets SET state = 'closed', updated_us = $3
                 WHERE id = $1 AND org_id = $2 AND state = 'open'",
                params![id, self.org, now],
            )
            .await?;
        Ok(changed == 1)
    }

    /// Keeps a one-time code for linking a chat; only its hash is given here.
    pub async fn add_bot_code(
        &self,
        hash: &str,
        role: &str,
        by: &str,
        now: Timestamp,
        expires: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.store.begin().await?;
        tx.execute("DELETE FROM bot_codes WHERE expires_us < $1", params![now]).await?;
        tx.execute(
            "INSERT INTO bot_codes (hash, org_id, role, made_by, created_us, expires_us) VALUES ($1, $2, $3, $4, $5, $6)",
            params![hash, self.org, role, by, now, expires],
        )
        .await?;
        tx.commit().await
    }

    /// The chats that are linked, with provider and chat id.
    pub async fn bot_links(&self) -> Result<Vec<(String, String, Link)>, StoreError> {
        let rows = self
            .store
            .query(
                "SELECT provider, chat_id, org_id, role, linked_by, linked_us FROM bot_links
                 WHERE org_id = $1 ORDER BY provider, chat_id LIMIT 200",
                params![self.org],
            )
            .await?;
        rows.iter().map(|r| Ok((r.text("provider")?, r.text("chat_id")?, link(r)?))).collect()
    }

    /// Cuts a chat off.
    pub async fn unlink_bot(&self, provider: &str, chat: &str) -> Result<(), StoreError> {
        let changed = self
            .store
            .execute(
                "DELETE FROM bot_links WHERE provider = $1 AND chat_id = $2 AND org_id = $3",
                params![provider, chat, self.org],
            )
            .await?;
        if changed == 0 { Err(StoreError::Missing { what: "linked chat" }) } else { Ok(()) }
    }
}

const TICKET: &str = "SELECT id, conversation_id, about_kind, about_id, opened_by, email, message, state,
                             created_us, updated_us FROM support_tickets";

fn ticket(row: &Row) -> Result<Ticket, StoreError> {
    Ok(Ticket {
        id: row.id("id")?,
        conversation: row.opt_id("conversation_id")?,
        about: About::of(row)?,
        opened_by: row.text("opened_by")?,
        email: row.opt_text("email")?,
        message: row.text("message")?,
        state: row.text("state")?,
        created: row.time("created_us")?,
        updated: row.time("updated_us")?,
    })
}

fn link(row: &Row) -> Result<Link, StoreError> {
    Ok(Link {
        org: row.org("org_id")?,
        role: row.text("role")?,
        linked_by: row.text("linked_by")?,
        linked: row.time("linked_us")?,
    })
}

/// Opens a ticket, in the transaction that also writes the notice of it.
pub async fn open_ticket(tx: &mut Tx, org: OrgId, ticket: &Ticket) -> Result<(), StoreError> {
    let t = ticket;
    tx.execute(
        "INSERT INTO support_tickets (id, org_id, conversation_id, about_kind, about_id, opened_by, email, message,
           state, created_us, updated_us) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        params![
            t.id,
            org,
            t.conversation,
            t.about.map(About::kind),
            t.about.map(About::id),
            t.opened_by.as_str(),
            t.email.as_deref(),
            t.message.as_str(),
            t.state.as_str(),
            t.created,
            t.updated
        ],
    )
    .await?;
    Ok(())
}

/// Stores a bot's update. `false` when it came before: then it is not acted upon again.
pub async fn record_update(
    tx: &mut Tx,
    provider: &str,
    update: &str,
    chat: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let written = tx
        .execute(
            "INSERT INTO bot_updates (provider, update_id, chat_id, at_us, outcome, next_us)
             VALUES ($1, $2, $3, $4, 'ignored', $4) ON CONFLICT (provider, update_id) DO NOTHING",
            params![provider, update, chat, now],
        )
        .await?;
    Ok(written == 1)
}

/// Says what became of an update, and which answer is owed.
pub async fn conclude_update(
    tx: &mut Tx,
    provider: &str,
    update: &str,
    outcome: &str,
    reply: Option<&str>,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE bot_updates SET outcome = $3, reply = $4, reply_state = $5 WHERE provider = $1 AND update_id = $2",
        params![provider, update, outcome, reply, reply.map(|_| "pending")],
    )
    .await?;
    Ok(())
}

/// The organisation that a chat is linked to.
pub async fn link_of(tx: &mut Tx, provider: &str, chat: &str) -> Result<Option<Link>, StoreError> {
    let row = tx
        .query_opt(
            "SELECT org_id, role, linked_by, linked_us FROM bot_links WHERE provider = $1 AND chat_id = $2",
            params![provider, chat],
        )
        .await?;
    row.as_ref().map(link).transpose()
}

/// Takes a one-time code. After `most` wrong ones since `since` a chat is not listened to.
pub async fn redeem(
    tx: &mut Tx,
    provider: &str,
    chat: &str,
    hash: &str,
    (most, since): (u64, Timestamp),
    now: Timestamp,
) -> Result<Redeemed, StoreError> {
    let wrong = tx
        .query_opt(
            "SELECT count(*) AS n FROM bot_updates
             WHERE provider = $1 AND chat_id = $2 AND at_us >= $3 AND outcome = 'wrong-code'",
            params![provider, chat, since],
        )
        .await?;
    if wrong.map(|r| r.count("n")).transpose()?.unwrap_or(0) >= most {
        return Ok(Redeemed::Locked);
    }
    let code = tx
        .query_opt(
            "UPDATE bot_codes SET used_us = $2 WHERE hash = $1 AND used_us IS NULL AND expires_us >= $2
             RETURNING org_id, role, made_by",
            params![hash, now],
        )
        .await?;
    let Some(code) = code else { return Ok(Redeemed::Wrong) };
    let link = Link {
        org: code.org("org_id")?,
        role: code.text("role")?,
        linked_by: code.text("made_by")?,
        linked: now,
    };
    tx.execute(
        "INSERT INTO bot_links (provider, chat_id, org_id, role, linked_by, linked_us) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (provider, chat_id) DO UPDATE SET org_id = $3, role = $4, linked_by = $5, linked_us = $6",
        params![provider, chat, link.org, link.role.as_str(), link.linked_by.as_str(), now],
    )
    .await?;
    Ok(Redeemed::Linked(link))
}

/// Claims answers that are due, for `lease_us` microseconds: whoever sends them is alone with them until then.
pub async fn claim_replies(store: &Store, now: Timestamp, lease_us: i64) -> Result<Vec<Owed>, StoreError> {
    let mut tx = store.begin().await?;
    let rows = tx
        .query(
            &format!(
                "SELECT provider, update_id, chat_id, reply, attempts FROM bot_updates
                 WHERE reply_state = 'pending' AND next_us <= $1 ORDER BY next_us, update_id LIMIT 20 {}",
                store.skip_locked()
            ),
            params![now],
        )
        .await?;
    let owed: Vec<Owed> = rows
        .iter()
        .map(|r| {
            Ok(Owed {
                provider: r.text("provider")?,
                update: r.text("update_id")?,
                chat: r.text("chat_id")?,
                reply: r.text("reply")?,
                attempts: r.int("attempts")?,
            })
        })
        .collect::<Result<_, StoreError>>()?;
    for o in &owed {
        tx.execute(
            "UPDATE bot_updates SET next_us = $3, attempts = attempts + 1 WHERE provider = $1 AND update_id = $2",
            params![o.provider.as_str(), o.update.as_str(), now.as_microsecond() + lease_us],
        )
        .await?;
    }
    tx.commit().await?;
    Ok(owed)
}

/// Says how the sending of an answer ended: `sent`, `pending` (again at `next`) or `dead`.
pub async fn reply_ended(
    store: &Store,
    owed: &Owed,
    state: &str,
    next: Timestamp,
    error: Option<&str>,
) -> Result<(), StoreError> {
    store
        .execute(
            "UPDATE bot_updates SET reply_state = $3, next_us = $4, last_error = $5
             WHERE provider = $1 AND update_id = $2",
            params![owed.provider.as_str(), owed.update.as_str(), state, next, error],
        )
        .await?;
    Ok(())
}

/// How many answers wait, and how many were given up.
pub async fn reply_counts(store: &Store) -> Result<(u64, u64), StoreError> {
    let rows = store
        .query(
            "SELECT reply_state, count(*) AS n FROM bot_updates WHERE reply_state IN ('pending', 'dead') GROUP BY reply_state",
            params![],
        )
        .await?;
    let mut counts = (0, 0);
    for row in &rows {
        match row.text("reply_state")?.as_str() {
            "pending" => counts.0 = row.count("n")?,
            _ => counts.1 = row.count("n")?,
        }
    }
    Ok(counts)
}

/// What the support chat knows of an incident or a report: what is stored about it, nothing more.
#[derive(Debug, Clone, PartialEq)]
pub struct Subject {
    /// What it is.
    pub about: About,
    /// What is the case, in one line.
    pub title: String,
    /// Of an incident: `confirming`, `open`, `resolved`. Of a report: `queued`, `running`, `done`, `failed`.
    pub status: String,
    /// When the trouble began, or the audit was asked for.
    pub began: Timestamp,
    /// When it was over.
    pub ended: Option<Timestamp>,
    /// When it was acknowledged, and by whom.
    pub acknowledged: Option<(Timestamp, String)>,
    /// Of an incident: `diagnosing`, `known`, `unknown`, or why there is no diagnosis. Of a report: why it failed.
    pub diagnosis: Option<String>,
    /// The cause: id, title, label, confidence from 0 to 1.
    pub cause: Option<(String, String, String, f64)>,
    /// What changed between the last good check and the first bad one, as stored.
    pub difference: Option<serde_json::Value>,
    /// The monitors that are part of it: name, verdict, what the last check said.
    pub monitors: Vec<(String, String, String)>,
    /// The report of the audit, when there is one.
    pub report: Option<serde_json::Value>,
}

impl Tenant {
    /// What is known of an incident or a report; the newest open incident, else the newest report, when none is named.
    /// `None` when there is nothing at all; [`StoreError::Missing`] when what is named is not there, or somebody else's.
    pub async fn subject(&self, about: Option<About>) -> Result<Option<Subject>, StoreError> {
        let about = match about {
            Some(about) => about,
            None => match self.newest().await? {
                Some(about) => about,
                None => return Ok(None),
            },
        };
        match about {
            About::Incident(id) => self.incident_subject(id).await.map(Some),
            About::Report(id) => self.report_subject(id).await.map(Some),
        }
    }

    async fn newest(&self) -> Result<Option<About>, StoreError> {
        let open = "SELECT id FROM incidents WHERE org_id = $1 AND resolved_us IS NULL ORDER BY began_us DESC, id DESC LIMIT 1";
        if let Some(row) = self.store.query_opt(open, params![self.org]).await? {
            return Ok(Some(About::Incident(row.id("id")?)));
        }
        let done = "SELECT id FROM reports WHERE org_id = $1 AND status = 'done' ORDER BY id DESC LIMIT 1";
        let row = self.store.query_opt(done, params![self.org]).await?;
        row.map(|r| Ok(About::Report(r.id("id")?))).transpose()
    }

    async fn incident_subject(&self, id: Id) -> Result<Subject, StoreError> {
        let row = self
            .store
            .query_opt(
                "SELECT i.title, i.status, i.cause_id, i.cause_title, i.cause_label, i.confidence, i.diagnosis,
                   i.difference, i.began_us, i.resolved_us, i.acked_us, i.acked_by, r.report
                 FROM incidents i LEFT JOIN reports r ON r.id = i.report_id AND r.org_id = i.org_id
                 WHERE i.id = $1 AND i.org_id = $2",
                params![id, self.org],
            )
            .await?
            .ok_or(StoreError::Missing { what: "incident" })?;
        let monitors = self
            .store
            .query(
                "SELECT m.name, COALESCE(s.verdict, 'new') AS verdict, COALESCE(s.last_say, '') AS say
                 FROM incident_monitors im JOIN monitors m ON m.id = im.monitor_id AND m.org_id = im.org_id
                 LEFT JOIN monitor_states s ON s.monitor_id = m.id
                 WHERE im.incident_id = $1 AND im.org_id = $2 ORDER BY im.joined_us, m.id LIMIT 20",
                params![id, self.org],
            )
            .await?;
        let cause = row.opt_text("cause_id")?.map(|cause| {
            Ok::<_, StoreError>((
                cause,
                row.opt_text("cause_title")?.unwrap_or_default(),
                row.opt_text("cause_label")?.unwrap_or_default(),
                row.opt_real("confidence")?.unwrap_or_default(),
            ))
        });
        Ok(Subject {
            about: About::Incident(id),
            title: row.text("title")?,
            status: row.text("status")?,
            began: row.time("began_us")?,
            ended: row.opt_time("resolved_us")?,
            acknowledged: row
                .opt_time("acked_us")?
                .map(|at| Ok::<_, StoreError>((at, row.opt_text("acked_by")?.unwrap_or_default())))
                .transpose()?,
            diagnosis: Some(row.text("diagnosis")?),
            cause: cause.transpose()?,
            difference: row.opt_json("difference")?,
            monitors: monitors
                .iter()
                .map(|m| Ok((m.text("name")?, m.text("verdict")?, m.text("say")?)))
                .collect::<Result<_, StoreError>>()?,
            report: row.opt_json("report")?,
        })
    }

    async fn report_subject(&self, id: Id) -> Result<Subject, StoreError> {
        let row = self
            .store
            .query_opt(
                "SELECT status, target, created_us, ended_us, summary, problem, report FROM reports
                 WHERE id = $1 AND org_id = $2",
                params![id, self.org],
            )
            .await?
            .ok_or(StoreError::Missing { what: "report" })?;
        let report: Option<serde_json::Value> = row.opt_json("report")?;
        let cause = report.as_ref().and_then(|r| r.pointer("/causes/0")).and_then(|c| {
            let text = |name: &str| c.get(name).and_then(serde_json::Value::as_str).map(str::to_owned);
            let confidence = c.get("confidence").and_then(serde_json::Value::as_f64)?;
            Some((text("id")?, text("title")?, text("label")?, confidence))
        });
        Ok(Subject {
            about: About::Report(id),
            title: row.opt_text("summary")?.unwrap_or_else(|| row.text("target").unwrap_or_default()),
            status: row.text("status")?,
            began: row.time("created_us")?,
            ended: row.opt_time("ended_us")?,
            acknowledged: None,
            diagnosis: row.opt_text("problem")?,
            cause,
            difference: None,
            monitors: Vec::new(),
            report,
        })
    }

    /// How many questions were asked since a moment, for the plan's limit.
    pub async fn questions_since(&self, since: Timestamp) -> Result<u64, StoreError> {
        let row = self
            .store
            .query_opt(
                "SELECT count(*) AS n FROM support_messages WHERE org_id = $1 AND who = 'person' AND at_us >= $2",
                params![self.org, since],
            )
            .await?;
        row.map_or(Ok(0), |r| r.count("n"))
    }
}

/// How an organisation stands, for a chat: monitors by verdict, and its open incidents (id, title, cause, acknowledged).
pub async fn standing(tx: &mut Tx, org: OrgId) -> Result<Standing, StoreError> {
    let counts = tx
        .query(
            "SELECT CASE WHEN m.paused = 1 THEN 'paused' ELSE COALESCE(s.verdict, 'new') END AS verdict, count(*) AS n
             FROM monitors m LEFT JOIN monitor_states s ON s.monitor_id = m.id
             WHERE m.org_id = $1 AND m.deleted_us IS NULL GROUP BY 1 ORDER BY 1",
            params![org],
        )
        .await?;
    let open = tx
        .query(
            "SELECT id, title, cause_title, acked_by FROM incidents WHERE org_id = $1 AND resolved_us IS NULL
             ORDER BY began_us DESC, id DESC LIMIT 11",
            params![org],
        )
        .await?;
    Ok(Standing {
        monitors: counts
            .iter()
            .map(|r| Ok((r.text("verdict")?, r.count("n")?)))
            .collect::<Result<_, StoreError>>()?,
        incidents: open
            .iter()
            .map(|r| Ok((r.id("id")?, r.text("title")?, r.opt_text("cause_title")?, r.opt_text("acked_by")?)))
            .collect::<Result<_, StoreError>>()?,
    })
}

/// How an organisation stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Monitors by verdict.
    pub monitors: Vec<(String, u64)>,
    /// Open incidents, newest first, at most eleven: id, title, cause, who acknowledged it.
    pub incidents: Vec<(Id, String, Option<String>, Option<String>)>,
}

/// Open incidents whose id begins or ends with what was typed: at most two, so that it is seen whether it is ambiguous.
/// Ids that were made at the same time begin alike, so people are shown the end.
pub async fn incidents_like(tx: &mut Tx, org: OrgId, typed: &str) -> Result<Vec<Id>, StoreError> {
    let typed = typed.to_ascii_lowercase();
    if typed.len() < 4 || !typed.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-') {
        return Ok(Vec::new());
    }
    let rows = tx
        .query(
            "SELECT id FROM incidents WHERE org_id = $1 AND resolved_us IS NULL AND (id LIKE $2 OR id LIKE $3)
             ORDER BY id LIMIT 2",
            params![org, format!("{typed}%"), format!("%{typed}")],
        )
        .await?;
    rows.iter().map(|r| r.id("id")).collect()
}

/// Monitors that an audit can be asked for: id, external id, name, specification as JSON. One by its external id or name,
/// or the first few.
pub async fn auditable(
    tx: &mut Tx,
    org: OrgId,
    named: Option<&str>,
) -> Result<Vec<(Id, String, String, serde_json::Value)>, StoreError> {
    let all = "SELECT id, external_id, name, spec FROM monitors
               WHERE org_id = $1 AND deleted_us IS NULL AND kind IN ('http', 'audit')";
    let rows = match named {
        Some(named) => {
            let sql = format!("{all} AND (external_id = $2 OR lower(name) = lower($2)) ORDER BY id LIMIT 2");
            tx.query(&sql, params![org, named]).await?
        }
        None => tx.query(&format!("{all} ORDER BY id LIMIT 10"), params![org]).await?,
    };
    rows.iter().map(|r| Ok((r.id("id")?, r.text("external_id")?, r.text("name")?, r.json("spec")?))).collect()
}

/// Queues an audit of a monitor's target. `None` when as many as `most` of the organisation's are waiting already.
pub async fn queue_audit(
    tx: &mut Tx,
    org: OrgId,
    monitor: Id,
    target: &str,
    by: &str,
    most: u64,
    now: Timestamp,
) -> Result<Option<Id>, StoreError> {
    let waiting = tx
        .query_opt(
            "SELECT count(*) AS n FROM reports WHERE org_id = $1 AND status IN ('queued', 'running')",
            params![org],
        )
        .await?;
    if waiting.map(|r| r.count("n")).transpose()?.unwrap_or(0) >= most {
        return Ok(None);
    }
    let id = Id::new();
    tx.execute(
        "INSERT INTO reports (id, org_id, monitor_id, status, target, requested_by, created_us)
         VALUES ($1, $2, $3, 'queued', $4, $5, $6)",
        params![id, org, monitor, target, by, now],
    )
    .await?;
    Ok(Some(id))
}
