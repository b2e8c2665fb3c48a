//! Billing: what the payment provider said, once each, and what it means for an organisation's plan.
//!
//! Every change happens in a transaction from [`begin`], so that two events are never applied at the same time. An event
//! is stored before it is acted upon; the provider's ids are the primary keys, so a replay finds its row and stops.
//! Which plan an organisation is on is always computed from its subscriptions ([`settle_plan`]) and never counted up or
//! down, so the order in which events arrive does not matter.

use jiff::Timestamp;

use crate::{Id, OrgId, Row, Store, StoreError, Tenant, Tx, params};

/// An event as it came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event<'a> {
    /// The provider's id: `evt_…`.
    pub id: &'a str,
    /// Its type: `checkout.session.completed`.
    pub kind: &'a str,
    /// When the provider made it.
    pub created: Timestamp,
    /// Whether it is about real money.
    pub live: bool,
    /// The customer that it names.
    pub customer: Option<&'a str>,
    /// The body, as it was signed.
    pub body: &'a str,
}

/// A stored event, for the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// The provider's id.
    pub id: String,
    /// Its type.
    pub kind: String,
    /// When it came in.
    pub received: Timestamp,
    /// `applied`, `ignored`, `waiting`, `unassigned`, `unreadable`.
    pub outcome: String,
    /// What became of it, in words.
    pub say: String,
    /// The body.
    pub body: String,
}

/// A checkout that was started here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkout {
    /// Its id, and the idempotency key towards the provider.
    pub id: Id,
    /// Whose it is.
    pub org: OrgId,
    /// The plan that is to be bought.
    pub plan: String,
    /// The provider's session.
    pub session: Option<String>,
    /// Where the buyer pays.
    pub url: Option<String>,
    /// `open`, `waiting`, `fulfilled`, `failed`, `expired`.
    pub state: String,
}

/// A subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// The provider's id.
    pub id: String,
    /// Whose it is.
    pub org: OrgId,
    /// The plan that it buys.
    pub plan: String,
    /// The provider's word for its state.
    pub status: String,
    /// When something first said that it was paid for.
    pub paid: Option<Timestamp>,
    /// When it was set aside because nobody paid.
    pub suspended: Option<Timestamp>,
    /// The newest event about its state that was applied, with its rank within its second.
    pub known: (Timestamp, i64),
}

impl Subscription {
    /// Whether the organisation may have what it buys: it runs, and somebody paid for it.
    pub fn counts(&self) -> bool {
        let runs = matches!(self.status.as_str(), "active" | "trialing" | "past_due");
        let paid = self.paid.is_some() || self.status == "trialing";
        runs && paid && self.suspended.is_none()
    }

    /// Whether it is over for good.
    pub fn ended(&self) -> bool {
        matches!(self.status.as_str(), "canceled" | "incomplete_expired")
    }

    fn of(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.text("id")?,
            org: row.org("org_id")?,
            plan: row.text("plan")?,
            status: row.text("status")?,
            paid: row.opt_time("paid_us")?,
            suspended: row.opt_time("suspended_us")?,
            known: (row.time("known_us")?, row.int("known_rank")?),
        })
    }
}

/// An invoice that was not paid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unpaid {
    /// The provider's id.
    pub id: String,
    /// Whose it is.
    pub org: OrgId,
    /// The subscription that it is for.
    pub subscription: Option<String>,
    /// Who is told.
    pub email: Option<String>,
    /// Where it can be paid.
    pub url: Option<String>,
    /// When the payment first failed.
    pub failed: Timestamp,
    /// The last reminder that was written, in days after the failure.
    pub sent: i64,
}

/// How much an organisation has of what plans limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holdings {
    /// The plan that it is on.
    pub plan: String,
    /// Monitors.
    pub monitors: u64,
    /// Heartbeats.
    pub heartbeats: u64,
    /// Members.
    pub members: u64,
    /// Invitations that can still be used.
    pub invitations: u64,
    /// Channels.
    pub channels: u64,
}

const HOLDINGS: &str = "SELECT plan,
        (SELECT count(*) FROM monitors WHERE org_id = $1 AND deleted_us IS NULL) AS monitors,
        (SELECT count(*) FROM heartbeats WHERE org_id = $1) AS heartbeats,
        (SELECT count(*) FROM members WHERE org_id = $1) AS members,
        (SELECT count(*) FROM invitations WHERE org_id = $1 AND accepted_us IS NULL AND expires_us > $2) AS invitations,
        (SELECT count(*) FROM channels WHERE org_id = $1) AS channels
     FROM orgs WHERE id = $1";

impl Holdings {
    fn of(row: Option<Row>) -> Result<Self, StoreError> {
        let row = row.ok_or(StoreError::Missing { what: "organisation" })?;
        Ok(Self {
            plan: row.text("plan")?,
            monitors: row.count("monitors")?,
            heartbeats: row.count("heartbeats")?,
            members: row.count("members")?,
            invitations: row.count("invitations")?,
            channels: row.count("channels")?,
        })
    }
}

/// What an organisation has of what plans limit, within a transaction that is about to add to it.
pub async fn holdings(tx: &mut Tx, org: OrgId, now: Timestamp) -> Result<Holdings, StoreError> {
    Holdings::of(tx.query_opt(HOLDINGS, params![org, now]).await?)
}

const CHECKOUT: &str = "SELECT id, org_id, plan, session_id, url, state FROM billing_checkouts";
const SUBSCRIPTION: &str =
    "SELECT id, org_id, plan, status, paid_us, suspended_us, known_us, known_rank FROM billing_subscriptions";

/// Begins a transaction that changes billing; such transactions take turns.
///
/// # Errors
/// When the database fails; likewise for all that follow.
pub async fn begin(store: &Store) -> Result<Tx, StoreError> {
    let mut tx = store.begin().await?;
    tx.execute("UPDATE billing_gate SET turns = turns + 1 WHERE id = 1", params![]).await?;
    Ok(tx)
}

/// Stores an event. `false` when it was there already: then nothing more is to be done.
pub async fn record(tx: &mut Tx, event: &Event<'_>, now: Timestamp) -> Result<bool, StoreError> {
    let written = tx
        .execute(
            "INSERT INTO billing_events (id, kind, created_us, received_us, livemode, customer_id, outcome, say, body)
             VALUES ($1, $2, $3, $4, $5, $6, 'stored', '', $7) ON CONFLICT (id) DO NOTHING",
            params![event.id, event.kind, event.created, now, event.live, event.customer, event.body],
        )
        .await?;
    Ok(written == 1)
}

/// Says what became of an event.
pub async fn conclude(
    tx: &mut Tx,
    event: &str,
    org: Option<OrgId>,
    outcome: &str,
    say: &str,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE billing_events SET org_id = $2, outcome = $3, say = $4 WHERE id = $1",
        params![event, org, outcome, say],
    )
    .await?;
    Ok(())
}

/// The organisation with this id, if there is one: the provider gives back what it was given, and a signature vouches
/// for it.
pub async fn org_named(tx: &mut Tx, id: &str) -> Result<Option<OrgId>, StoreError> {
    let row = tx.query_opt("SELECT id FROM orgs WHERE id = $1", params![id]).await?;
    row.map(|r| r.org("id")).transpose()
}

/// The organisation that a customer belongs to.
pub async fn org_of_customer(tx: &mut Tx, customer: &str) -> Result<Option<OrgId>, StoreError> {
    let row = tx.query_opt("SELECT org_id FROM billing_customers WHERE id = $1", params![customer]).await?;
    row.map(|r| r.org("org_id")).transpose()
}

/// Notes that a customer belongs to an organisation. A customer that is linked stays where it is; `true` when it is new.
pub async fn link_customer(
    tx: &mut Tx,
    customer: &str,
    org: OrgId,
    email: Option<&str>,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let new = tx
        .execute(
            "INSERT INTO billing_customers (id, org_id, email, linked_us) VALUES ($1, $2, $3, $4)
             ON CONFLICT (id) DO NOTHING",
            params![customer, org, email, now],
        )
        .await?;
    if let (0, Some(email)) = (new, email) {
        tx.execute("UPDATE billing_customers SET email = $2 WHERE id = $1", params![customer, email]).await?;
    }
    Ok(new == 1)
}

/// Where an organisation's bills go: the address that was given when it last paid.
pub async fn email_of(tx: &mut Tx, org: OrgId) -> Result<Option<String>, StoreError> {
    let row = tx
        .query_opt(
            "SELECT email FROM billing_customers WHERE org_id = $1 AND email IS NOT NULL
             ORDER BY linked_us DESC, id LIMIT 1",
            params![org],
        )
        .await?;
    row.map(|r| r.text("email")).transpose()
}

/// Events of a customer that could not be assigned when they came, oldest first.
pub async fn unassigned_of(tx: &mut Tx, customer: &str) -> Result<Vec<StoredEvent>, StoreError> {
    let rows = tx
        .query(
            "SELECT id, kind, received_us, outcome, say, body FROM billing_events
             WHERE customer_id = $1 AND outcome = 'unassigned' ORDER BY created_us, id LIMIT 100",
            params![customer],
        )
        .await?;
    rows.iter().map(stored).collect()
}

fn stored(row: &Row) -> Result<StoredEvent, StoreError> {
    Ok(StoredEvent {
        id: row.text("id")?,
        kind: row.text("kind")?,
        received: row.time("received_us")?,
        outcome: row.text("outcome")?,
        say: row.text("say")?,
        body: row.text("body")?,
    })
}

/// Events that need a person: nobody's, or not understood. Newest first, at most a hundred.
pub async fn needing_a_person(store: &Store) -> Result<Vec<StoredEvent>, StoreError> {
    let rows = store
        .query(
            "SELECT id, kind, received_us, outcome, say, body FROM billing_events
             WHERE outcome IN ('unassigned', 'unreadable') ORDER BY received_us DESC, id LIMIT 100",
            params![],
        )
        .await?;
    rows.iter().map(stored).collect()
}

/// The newest event, and how many need a person.
pub async fn pulse(store: &Store) -> Result<(Option<(String, Timestamp)>, u64), StoreError> {
    let last = store
        .query_opt(
            "SELECT kind, received_us FROM billing_events ORDER BY received_us DESC LIMIT 1",
            params![],
        )
        .await?;
    let last = last.map(|r| Ok::<_, StoreError>((r.text("kind")?, r.time("received_us")?))).transpose()?;
    let open = store
        .query_opt(
            "SELECT count(*) AS n FROM billing_events WHERE outcome IN ('unassigned', 'unreadable')",
            params![],
        )
        .await?;
    Ok((last, open.map(|r| r.count("n")).transpose()?.unwrap_or(0)))
}

/// Proves that an event could be stored: one is written and taken back.
pub async fn can_store(store: &Store, now: Timestamp) -> Result<(), StoreError> {
    let mut tx = store.begin().await?;
    let id = format!("probe_{}", Id::new());
    let event = Event { id: &id, kind: "probe", created: now, live: false, customer: None, body: "{}" };
    record(&mut tx, &event, now).await?;
    tx.execute("DELETE FROM billing_events WHERE id = $1", params![&id]).await?;
    tx.commit().await
}

/// Proves that the database takes a write and keeps it.
pub async fn prove_write(store: &Store, server: &str, now: Timestamp) -> Result<(), StoreError> {
    let mut tx = store.begin().await?;
    tx.execute(
        "INSERT INTO health_writes (id, at_us) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET at_us = $2",
        params![server, now],
    )
    .await?;
    // Servers that are gone leave a row behind.
    tx.execute("DELETE FROM health_writes WHERE at_us < $1", params![now.as_microsecond() - 86_400_000_000])
        .await?;
    tx.commit().await
}

fn checkout(row: &Row) -> Result<Checkout, StoreError> {
    Ok(Checkout {
        id: row.id("id")?,
        org: row.org("org_id")?,
        plan: row.text("plan")?,
        session: row.opt_text("session_id")?,
        url: row.opt_text("url")?,
        state: row.text("state")?,
    })
}

/// The checkout that was started here under this id.
pub async fn checkout_by_id(tx: &mut Tx, id: &str) -> Result<Option<Checkout>, StoreError> {
    tx.query_opt(&format!("{CHECKOUT} WHERE id = $1"), params![id]).await?.as_ref().map(checkout).transpose()
}

/// The checkout behind one of the provider's sessions.
pub async fn checkout_by_session(tx: &mut Tx, session: &str) -> Result<Option<Checkout>, StoreError> {
    let row = tx.query_opt(&format!("{CHECKOUT} WHERE session_id = $1"), params![session]).await?;
    row.as_ref().map(checkout).transpose()
}

/// Notes a session that is known only from the provider, so that it is fulfilled once.
pub async fn adopt_checkout(
    tx: &mut Tx,
    org: OrgId,
    plan: &str,
    session: &str,
    now: Timestamp,
) -> Result<Checkout, StoreError> {
    let id = Id::new();
    tx.execute(
        "INSERT INTO billing_checkouts (id, org_id, plan, session_id, started_by, state, created_us, updated_us)
         VALUES ($1, $2, $3, $4, 'stripe', 'open', $5, $5)",
        params![id, org, plan, session, now],
    )
    .await?;
    Ok(Checkout {
        id,
        org,
        plan: plan.into(),
        session: Some(session.into()),
        url: None,
        state: "open".into(),
    })
}

/// Sets the state of a checkout, and its session.
pub async fn set_checkout(
    tx: &mut Tx,
    id: Id,
    session: &str,
    state: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE billing_checkouts SET session_id = $2, state = $3, updated_us = $4 WHERE id = $1",
        params![id, session, state, now],
    )
    .await?;
    Ok(())
}

/// A subscription.
pub async fn subscription(tx: &mut Tx, id: &str) -> Result<Option<Subscription>, StoreError> {
    let row = tx.query_opt(&format!("{SUBSCRIPTION} WHERE id = $1"), params![id]).await?;
    row.as_ref().map(Subscription::of).transpose()
}

/// Writes a subscription whole.
pub async fn put_subscription(
    tx: &mut Tx,
    subscription: &Subscription,
    customer: Option<&str>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let s = subscription;
    tx.execute(
        "INSERT INTO billing_subscriptions
           (id, org_id, customer_id, plan, status, paid_us, suspended_us, known_us, known_rank, updated_us)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         ON CONFLICT (id) DO UPDATE SET plan = $4, status = $5, paid_us = $6, suspended_us = $7, known_us = $8,
           known_rank = $9, updated_us = $10, customer_id = COALESCE($3, billing_subscriptions.customer_id)",
        params![s.id.as_str(), s.org, customer, s.plan.as_str(), s.status.as_str(), s.paid, s.suspended, s.known.0, s.known.1, now],
    )
    .await?;
    Ok(())
}

/// Computes the plan of an organisation from its subscriptions and writes it down: what it was and what it is.
/// `rank` orders the plans; one that it does not know is worth nothing.
pub async fn settle_plan(
    tx: &mut Tx,
    org: OrgId,
    rank: impl Fn(&str) -> Option<u32>,
) -> Result<(String, String), StoreError> {
    let rows = tx.query(&format!("{SUBSCRIPTION} WHERE org_id = $1"), params![org]).await?;
    let all: Vec<Subscription> = rows.iter().map(Subscription::of).collect::<Result<_, _>>()?;
    let best = all.iter().filter(|s| s.counts()).filter_map(|s| Some((rank(&s.plan)?, &s.plan))).max();
    let plan = best.map_or_else(|| "free".to_owned(), |(_, plan)| plan.clone());
    let before = tx.query_opt("SELECT plan FROM orgs WHERE id = $1", params![org]).await?;
    let before =
        before.map(|r| r.text("plan")).transpose()?.ok_or(StoreError::Missing { what: "organisation" })?;
    if before != plan {
        tx.execute("UPDATE orgs SET plan = $2 WHERE id = $1", params![org, plan.as_str()]).await?;
    }
    Ok((before, plan))
}

/// The state of an invoice, when it is known: `failed`, `paid`, `void`.
pub async fn invoice_state(tx: &mut Tx, id: &str) -> Result<Option<String>, StoreError> {
    let row = tx.query_opt("SELECT state FROM billing_invoices WHERE id = $1", params![id]).await?;
    row.map(|r| r.text("state")).transpose()
}

/// Notes that an invoice is paid or void. That is final: reminders end.
pub async fn close_invoice(
    tx: &mut Tx,
    id: &str,
    org: OrgId,
    subscription: Option<&str>,
    state: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO billing_invoices (id, org_id, subscription_id, state, updated_us) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (id) DO UPDATE SET state = $4, updated_us = $5",
        params![id, org, subscription, state, now],
    )
    .await?;
    Ok(())
}

/// Notes that an invoice was not paid. The first failure counts; a closed invoice stays closed (`false`).
pub async fn fail_invoice(tx: &mut Tx, unpaid: &Unpaid, now: Timestamp) -> Result<bool, StoreError> {
    let u = unpaid;
    let changed = tx
        .execute(
            "INSERT INTO billing_invoices (id, org_id, subscription_id, email, url, state, failed_us, updated_us)
             VALUES ($1, $2, $3, $4, $5, 'failed', $6, $7)
             ON CONFLICT (id) DO UPDATE SET updated_us = $7,
               failed_us = CASE WHEN billing_invoices.failed_us < $6 THEN billing_invoices.failed_us ELSE $6 END
             WHERE billing_invoices.state = 'failed'",
            params![u.id.as_str(), u.org, u.subscription.as_deref(), u.email.as_deref(), u.url.as_deref(), u.failed, now],
        )
        .await?;
    Ok(changed == 1)
}

/// Invoices that are not paid and have not led to a downgrade yet, longest first, at most five hundred.
pub async fn unpaid(store: &Store) -> Result<Vec<Unpaid>, StoreError> {
    let rows = store
        .query(
            "SELECT id, org_id, subscription_id, email, url, failed_us, sent FROM billing_invoices
             WHERE state = 'failed' AND downgraded_us IS NULL ORDER BY failed_us, id LIMIT 500",
            params![],
        )
        .await?;
    rows.iter()
        .map(|r| {
            Ok(Unpaid {
                id: r.text("id")?,
                org: r.org("org_id")?,
                subscription: r.opt_text("subscription_id")?,
                email: r.opt_text("email")?,
                url: r.opt_text("url")?,
                failed: r.time("failed_us")?,
                sent: r.int("sent")?,
            })
        })
        .collect()
}

/// Notes that a reminder was written. `false` when it was before, or when the invoice was paid meanwhile.
pub async fn mark_reminded(tx: &mut Tx, invoice: &str, day: i64, now: Timestamp) -> Result<bool, StoreError> {
    let changed = tx
        .execute(
            "UPDATE billing_invoices SET sent = $2, updated_us = $3 WHERE id = $1 AND state = 'failed' AND sent < $2",
            params![invoice, day, now],
        )
        .await?;
    Ok(changed == 1)
}

/// Notes that an unpaid invoice has led to a downgrade. `false` when it had before, or was paid meanwhile.
pub async fn mark_downgraded(tx: &mut Tx, invoice: &str, now: Timestamp) -> Result<bool, StoreError> {
    let changed = tx
        .execute(
            "UPDATE billing_invoices SET downgraded_us = $2, updated_us = $2
             WHERE id = $1 AND state = 'failed' AND downgraded_us IS NULL",
            params![invoice, now],
        )
        .await?;
    Ok(changed == 1)
}

impl Tenant {
    /// What the organisation has of what plans limit.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn holdings(&self, now: Timestamp) -> Result<Holdings, StoreError> {
        Holdings::of(self.store.query_opt(HOLDINGS, params![self.org, now]).await?)
    }

    /// Starts a checkout, or finds the open one for the same plan that was started since `since`.
    pub async fn start_checkout(
        &self,
        plan: &str,
        by: &str,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<Checkout, StoreError> {
        let mut tx = begin(&self.store).await?;
        let open = tx
            .query_opt(
                &format!(
                    "{CHECKOUT} WHERE org_id = $1 AND plan = $2 AND state = 'open' AND created_us >= $3
                     ORDER BY created_us DESC, id DESC LIMIT 1"
                ),
                params![self.org, plan, since],
            )
            .await?;
        if let Some(open) = open {
            return checkout(&open);
        }
        let id = Id::new();
        tx.execute(
            "INSERT INTO billing_checkouts (id, org_id, plan, started_by, state, created_us, updated_us)
             VALUES ($1, $2, $3, $4, 'open', $5, $5)",
            params![id, self.org, plan, by, now],
        )
        .await?;
        tx.commit().await?;
        Ok(Checkout { id, org: self.org, plan: plan.into(), session: None, url: None, state: "open".into() })
    }

    /// Notes where a checkout is paid.
    pub async fn checkout_opened(&self, id: Id, session: &str, url: &str) -> Result<(), StoreError> {
        self.store
            .execute(
                "UPDATE billing_checkouts SET session_id = $3, url = $4 WHERE id = $1 AND org_id = $2",
                params![id, self.org, session, url],
            )
            .await?;
        Ok(())
    }

    /// Gives up a checkout that the provider refused, so that the next try is a new one.
    pub async fn checkout_refused(&self, id: Id, now: Timestamp) -> Result<(), StoreError> {
        self.store
            .execute(
                "UPDATE billing_checkouts SET state = 'failed', updated_us = $3 WHERE id = $1 AND org_id = $2",
                params![id, self.org, now],
            )
            .await?;
        Ok(())
    }

    /// The organisation's customer at the provider, the newest.
    pub async fn customer(&self) -> Result<Option<String>, StoreError> {
        let row = self
            .store
            .query_opt(
                "SELECT id FROM billing_customers WHERE org_id = $1 ORDER BY linked_us DESC, id LIMIT 1",
                params![self.org],
            )
            .await?;
        row.map(|r| r.text("id")).transpose()
    }

    /// The organisation's subscriptions.
    pub async fn subscriptions(&self) -> Result<Vec<Subscription>, StoreError> {
        let rows = self
            .store
            .query(&format!("{SUBSCRIPTION} WHERE org_id = $1 ORDER BY id LIMIT 100"), params![self.org])
            .await?;
        rows.iter().map(Subscription::of).collect()
    }

    /// Invoices of the organisation that nobody has paid.
    pub async fn unpaid_invoices(&self) -> Result<u64, StoreError> {
        let row = self
            .store
            .query_opt(
                "SELECT count(*) AS n FROM billing_invoices WHERE org_id = $1 AND state = 'failed'",
                params![self.org],
            )
            .await?;
        row.map_or(Ok(0), |r| r.count("n"))
    }
}
