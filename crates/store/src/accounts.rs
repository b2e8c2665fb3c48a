//! People and programs: users, memberships, invitations, sessions, API keys, the audit log, and failed guesses.
//!
//! Signing in happens before there is a tenant, so the functions about users, sessions and tokens stand on [`Store`] and
//! take a hash that only the holder of the secret can make. What belongs to an organisation is on [`Tenant`].

use std::time::Duration;

use jiff::Timestamp;

use crate::{Id, Org, OrgId, Page, Row, Store, StoreError, Tenant, Tx, params};

/// A person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Their id.
    pub id: Id,
    /// In lower case.
    pub email: String,
    /// Their name.
    pub name: String,
}

/// A person and the hash of their password.
#[derive(Clone)]
pub struct Credentials {
    /// Who.
    pub user: User,
    /// A PHC string.
    pub password: String,
}

/// A person's place in an organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub user: User,
    /// `reader`, `editor`, `admin`, `owner`.
    pub role: String,
    /// Since when.
    pub created: Timestamp,
}

/// An invitation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// Its id.
    pub id: Id,
    /// Whom it is meant for.
    pub email: Option<String>,
    /// The role that it gives.
    pub role: String,
    /// Who made it.
    pub invited_by: String,
    /// When.
    pub created: Timestamp,
    /// Until when it works.
    pub expires: Timestamp,
    /// When it was used.
    pub accepted: Option<Timestamp>,
}

/// A session, with whom it belongs to and what they may do now.
#[derive(Debug, Clone)]
pub struct Session {
    /// Its id.
    pub id: Id,
    /// Who.
    pub user: User,
    /// The organisation that they look at.
    pub tenant: Tenant,
    /// Their role there.
    pub role: String,
    /// When they signed in.
    pub created: Timestamp,
    /// When it was last used.
    pub seen: Timestamp,
}

/// A session in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionInfo {
    /// Its id.
    pub id: Id,
    /// When they signed in.
    pub created: Timestamp,
    /// When it was last used.
    pub seen: Timestamp,
    /// Until when it lives at the longest.
    pub expires: Timestamp,
    /// From where they signed in.
    pub address: Option<String>,
    /// The browser, as it named itself.
    pub agent: Option<String>,
}

/// An API key, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Its id.
    pub id: Id,
    /// Its name.
    pub name: String,
    /// The part that may be shown.
    pub prefix: String,
    /// What it may be used for.
    pub scopes: Vec<String>,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created: Timestamp,
    /// Until when it works.
    pub expires: Option<Timestamp>,
    /// When it was last used, to the minute.
    pub last_used: Option<Timestamp>,
    /// When it was revoked.
    pub revoked: Option<Timestamp>,
    /// The key that took over.
    pub successor: Option<Id>,
}

/// An API key to be written.
#[derive(Debug, Clone)]
pub struct NewKey<'a> {
    /// Its name.
    pub name: &'a str,
    /// The part that may be shown.
    pub prefix: &'a str,
    /// SHA-256 of the whole key, in hex.
    pub secret_hash: &'a str,
    /// What it may be used for.
    pub scopes: &'a [String],
    /// Until when it works.
    pub expires: Option<Timestamp>,
}

/// One line of the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// Its id.
    pub id: Id,
    /// When.
    pub at: Timestamp,
    /// Who: an e-mail address or `key:NAME`.
    pub actor: String,
    /// What they did: `created`, `changed`, `deleted`, …
    pub action: String,
    /// To what: `monitor`, `member`, …
    pub kind: String,
    /// Its id.
    pub object: Option<Id>,
    /// In words.
    pub say: String,
}

/// A change, for the audit log. Secrets are never in it.
#[derive(Debug, Clone, Copy)]
pub struct Change<'a> {
    /// Who.
    pub actor: &'a str,
    /// `created`, `changed`, `deleted`, …
    pub action: &'a str,
    /// `monitor`, `member`, …
    pub kind: &'a str,
    /// The id of what was changed.
    pub object: Option<Id>,
    /// In words.
    pub say: &'a str,
}

/// Writes a line into an organisation's audit log, in the transaction of the change itself.
///
/// # Errors
/// When the database fails.
pub async fn note(tx: &mut Tx, org: OrgId, change: &Change<'_>, now: Timestamp) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO audit_log (id, org_id, at_us, actor, action, kind, object_id, say)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        params![Id::new(), org, now, change.actor, change.action, change.kind, change.object, change.say],
    )
    .await?;
    Ok(())
}

impl User {
    fn of(row: &Row) -> Result<Self, StoreError> {
        Ok(Self { id: row.id("user_id")?, email: row.text("email")?, name: row.text("user_name")? })
    }
}

impl Invitation {
    fn of(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id("id")?,
            email: row.opt_text("email")?,
            role: row.text("role")?,
            invited_by: row.text("invited_by")?,
            created: row.time("created_us")?,
            expires: row.time("expires_us")?,
            accepted: row.opt_time("accepted_us")?,
        })
    }
}

impl ApiKey {
    fn of(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id("id")?,
            name: row.text("name")?,
            prefix: row.text("prefix")?,
            scopes: row.json("scopes")?,
            created_by: row.text("created_by")?,
            created: row.time("created_us")?,
            expires: row.opt_time("expires_us")?,
            last_used: row.opt_time("last_used_us")?,
            revoked: row.opt_time("revoked_us")?,
            successor: row.opt_id("successor_id")?,
        })
    }
}

/// Columns of an API key.
const KEY: &str =
    "id, name, prefix, scopes, created_by, created_us, expires_us, last_used_us, revoked_us, successor_id";

/// Last use of a key and of a session is written at most once in so long: a write for every read would be the busiest
/// row of the whole database.
const SEEN_EVERY: Duration = Duration::from_secs(60);

impl Store {
    /// Whether there is any account at all.
    ///
    /// # Errors
    /// When the database fails; likewise for all that follow.
    pub async fn has_users(&self) -> Result<bool, StoreError> {
        Ok(self.query_opt("SELECT id FROM users LIMIT 1", &[]).await?.is_some())
    }

    /// Keeps the hash of a first-run token instead of any earlier one.
    pub async fn set_first_run(&self, token_hash: &str, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        tx.execute("DELETE FROM first_run", &[]).await?;
        tx.execute(
            "INSERT INTO first_run (token_hash, created_us) VALUES ($1, $2)",
            params![token_hash, now],
        )
        .await?;
        tx.commit().await
    }

    /// Whether this first-run token would work now.
    pub async fn first_run_works(&self, token_hash: &str) -> Result<bool, StoreError> {
        let row = self
            .query_opt(
                "SELECT token_hash FROM first_run WHERE token_hash = $1 AND used_us IS NULL
                 AND NOT EXISTS (SELECT 1 FROM users)",
                params![token_hash],
            )
            .await?;
        Ok(row.is_some())
    }

    /// Uses the first-run token, in the transaction that makes the first account.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when it is not the token, was used, or there is an account already.
    pub async fn use_first_run(tx: &mut Tx, token_hash: &str, now: Timestamp) -> Result<(), StoreError> {
        let used = tx
            .execute(
                "UPDATE first_run SET used_us = $2 WHERE token_hash = $1 AND used_us IS NULL
                 AND NOT EXISTS (SELECT 1 FROM users)",
                params![token_hash, now],
            )
            .await?;
        if used == 1 { Ok(()) } else { Err(StoreError::Missing { what: "first-run link" }) }
    }

    /// Makes a person, in the caller's transaction.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when the address is taken.
    pub async fn create_user(
        tx: &mut Tx,
        email: &str,
        name: &str,
        password: &str,
        now: Timestamp,
    ) -> Result<User, StoreError> {
        let user = User { id: Id::new(), email: email.to_owned(), name: name.to_owned() };
        tx.execute(
            "INSERT INTO users (id, email, name, password, created_us, password_us) VALUES ($1, $2, $3, $4, $5, $5)",
            params![user.id, email, name, password, now],
        )
        .await?;
        Ok(user)
    }

    /// Makes a person a member, in the caller's transaction.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when they are one already.
    pub async fn add_member(
        tx: &mut Tx,
        org: OrgId,
        user: Id,
        role: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        tx.execute(
            "INSERT INTO members (org_id, user_id, role, created_us) VALUES ($1, $2, $3, $4)",
            params![org, user, role, now],
        )
        .await?;
        Ok(())
    }

    /// The person with this address, in lower case, and the hash of their password.
    pub async fn credentials(&self, email: &str) -> Result<Option<Credentials>, StoreError> {
        let row = self
            .query_opt(
                "SELECT id AS user_id, email, name AS user_name, password FROM users WHERE email = $1",
                params![email],
            )
            .await?;
        row.map(|r| Ok(Credentials { user: User::of(&r)?, password: r.text("password")? })).transpose()
    }

    /// Changes a password and ends all sessions of the person but one.
    pub async fn set_password(
        &self,
        user: Id,
        password: &str,
        keep: Option<Id>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let changed = tx
            .execute(
                "UPDATE users SET password = $2, password_us = $3 WHERE id = $1",
                params![user, password, now],
            )
            .await?;
        if changed == 0 {
            return Err(StoreError::Missing { what: "user" });
        }
        let keep = keep.map_or_else(String::new, |k| k.to_string());
        tx.execute("DELETE FROM sessions WHERE user_id = $1 AND id <> $2", params![user, keep]).await?;
        tx.commit().await
    }

    /// The organisations of a person, with their role in each, oldest first.
    pub async fn memberships(&self, user: Id) -> Result<Vec<(Org, String)>, StoreError> {
        let rows = self
            .query(
                "SELECT o.id, o.slug, o.name, o.plan, o.created_us, m.role FROM members m JOIN orgs o ON o.id = m.org_id
                 WHERE m.user_id = $1 ORDER BY o.id",
                params![user],
            )
            .await?;
        rows.iter().map(|r| Ok((Org::of(r)?, r.text("role")?))).collect()
    }

    /// Begins a session.
    pub async fn create_session(&self, new: &NewSession<'_>, now: Timestamp) -> Result<Id, StoreError> {
        let id = Id::new();
        self.execute(
            "INSERT INTO sessions (id, token_hash, user_id, org_id, created_us, seen_us, expires_us, address, agent)
             VALUES ($1, $2, $3, $4, $5, $5, $6, $7, $8)",
            params![id, new.token_hash, new.user, new.org, now, new.expires, new.address, new.agent],
        )
        .await?;
        Ok(id)
    }

    /// The session with this token, unless it ended: `idle` after its last use, or at its absolute end. A session of
    /// somebody who is no member any more is none.
    pub async fn session(
        &self,
        token_hash: &str,
        idle: Duration,
        now: Timestamp,
    ) -> Result<Option<Session>, StoreError> {
        let oldest = now.checked_sub(idle).unwrap_or(Timestamp::MIN);
        let row = self
            .query_opt(
                "SELECT s.id, s.org_id, s.created_us, s.seen_us, u.id AS user_id, u.email, u.name AS user_name, m.role
                 FROM sessions s JOIN users u ON u.id = s.user_id
                 JOIN members m ON m.user_id = s.user_id AND m.org_id = s.org_id
                 WHERE s.token_hash = $1 AND s.expires_us > $2 AND s.seen_us > $3",
                params![token_hash, now, oldest],
            )
            .await?;
        let Some(row) = row else { return Ok(None) };
        let session = Session {
            id: row.id("id")?,
            user: User::of(&row)?,
            tenant: self.tenant(row.org("org_id")?),
            role: row.text("role")?,
            created: row.time("created_us")?,
            seen: row.time("seen_us")?,
        };
        if stale(session.seen, now) {
            self.execute("UPDATE sessions SET seen_us = $2 WHERE id = $1", params![session.id, now]).await?;
        }
        Ok(Some(session))
    }

    /// Lets a session look at another organisation of the same person.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when the person is no member of it.
    pub async fn switch_session(&self, session: Id, user: Id, org_slug: &str) -> Result<(), StoreError> {
        let changed = self
            .execute(
                "UPDATE sessions SET org_id = (SELECT id FROM orgs WHERE slug = $3)
                 WHERE id = $1 AND user_id = $2
                 AND EXISTS (SELECT 1 FROM members m JOIN orgs o ON o.id = m.org_id WHERE m.user_id = $2 AND o.slug = $3)",
                params![session, user, org_slug],
            )
            .await?;
        if changed == 1 { Ok(()) } else { Err(StoreError::Missing { what: "organisation" }) }
    }

    /// Ends a session by its token. Nothing is said of one that is not there.
    pub async fn end_session(&self, token_hash: &str) -> Result<(), StoreError> {
        self.execute("DELETE FROM sessions WHERE token_hash = $1", params![token_hash]).await?;
        Ok(())
    }

    /// Ends one session of a person.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when they have no such session.
    pub async fn revoke_session(&self, user: Id, session: Id) -> Result<(), StoreError> {
        let gone = self
            .execute("DELETE FROM sessions WHERE id = $1 AND user_id = $2", params![session, user])
            .await?;
        if gone == 1 { Ok(()) } else { Err(StoreError::Missing { what: "session" }) }
    }

    /// The sessions of a person that are alive, newest first.
    pub async fn sessions(
        &self,
        user: Id,
        idle: Duration,
        now: Timestamp,
        page: Page,
    ) -> Result<Vec<SessionInfo>, StoreError> {
        let oldest = now.checked_sub(idle).unwrap_or(Timestamp::MIN);
        let rows = self
            .query(
                "SELECT id, created_us, seen_us, expires_us, address, agent FROM sessions
                 WHERE user_id = $1 AND expires_us > $2 AND seen_us > $3 AND id < $4 ORDER BY id DESC LIMIT $5",
                params![user, now, oldest, before(page), page.fetch()],
            )
            .await?;
        rows.iter()
            .map(|r| {
                Ok(SessionInfo {
                    id: r.id("id")?,
                    created: r.time("created_us")?,
                    seen: r.time("seen_us")?,
                    expires: r.time("expires_us")?,
                    address: r.opt_text("address")?,
                    agent: r.opt_text("agent")?,
                })
            })
            .collect()
    }

    /// Removes sessions that ended, invitations that expired a week ago, and guesses that are forgiven: how many rows.
    pub async fn clean_sessions(&self, idle: Duration, now: Timestamp) -> Result<u64, StoreError> {
        let ago = |d: Duration| now.checked_sub(d).unwrap_or(Timestamp::MIN);
        let mut tx = self.begin().await?;
        let mut gone = tx
            .execute("DELETE FROM sessions WHERE expires_us <= $1 OR seen_us <= $2", params![now, ago(idle)])
            .await?;
        gone += tx
            .execute(
                "DELETE FROM invitations WHERE expires_us <= $1",
                params![ago(Duration::from_secs(7 * 24 * 3600))],
            )
            .await?;
        gone += tx
            .execute(
                "DELETE FROM guesses WHERE last_us <= $1 AND blocked_us <= $2",
                params![ago(FORGIVEN), now],
            )
            .await?;
        tx.commit().await?;
        Ok(gone)
    }

    /// The key with this hash, if it works now, and its organisation. Writes when it was used, to the minute.
    pub async fn key(
        &self,
        secret_hash: &str,
        now: Timestamp,
    ) -> Result<Option<(ApiKey, Tenant)>, StoreError> {
        let row = self
            .query_opt(
                &format!(
                    "SELECT org_id, {KEY} FROM api_keys WHERE secret_hash = $1 AND revoked_us IS NULL
                     AND (expires_us IS NULL OR expires_us > $2)"
                ),
                params![secret_hash, now],
            )
            .await?;
        let Some(row) = row else { return Ok(None) };
        let key = ApiKey::of(&row)?;
        if key.last_used.is_none_or(|seen| stale(seen, now)) {
            self.execute("UPDATE api_keys SET last_used_us = $2 WHERE id = $1", params![key.id, now]).await?;
        }
        Ok(Some((key, self.tenant(row.org("org_id")?))))
    }

    /// The invitation with this token, if it works now, and its organisation.
    pub async fn invitation(
        &self,
        token_hash: &str,
        now: Timestamp,
    ) -> Result<Option<(Invitation, Org)>, StoreError> {
        let row = self
            .query_opt(
                "SELECT i.id, i.email, i.role, i.invited_by, i.created_us, i.expires_us, i.accepted_us,
                 o.id AS org_id, o.slug AS org_slug, o.name AS org_name, o.plan AS org_plan, o.created_us AS org_created_us
                 FROM invitations i JOIN orgs o ON o.id = i.org_id
                 WHERE i.token_hash = $1 AND i.accepted_us IS NULL AND i.expires_us > $2",
                params![token_hash, now],
            )
            .await?;
        row.map(|r| {
            let org = Org {
                id: r.org("org_id")?,
                slug: r.text("org_slug")?,
                name: r.text("org_name")?,
                plan: r.text("org_plan")?,
                created: r.time("org_created_us")?,
            };
            Ok((Invitation::of(&r)?, org))
        })
        .transpose()
    }

    /// Uses an invitation, in the transaction that makes the membership: the organisation and the role.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when it is not there, expired, or was used.
    pub async fn use_invitation(
        tx: &mut Tx,
        token_hash: &str,
        now: Timestamp,
    ) -> Result<(OrgId, String), StoreError> {
        let row = tx
            .query_opt(
                "UPDATE invitations SET accepted_us = $2 WHERE token_hash = $1 AND accepted_us IS NULL
                 AND expires_us > $2 RETURNING org_id, role",
                params![token_hash, now],
            )
            .await?
            .ok_or(StoreError::Missing { what: "invitation" })?;
        Ok((row.org("org_id")?, row.text("role")?))
    }

    /// Counts a guess before it is looked at, so that many at once count as many: until when further ones are refused,
    /// when this one is refused already.
    ///
    /// `free` guesses cost nothing; each one after that doubles the wait, from one second to fifteen minutes. A day
    /// without a guess forgives.
    pub async fn count_guess(
        &self,
        key: &str,
        free: u32,
        now: Timestamp,
    ) -> Result<Result<(), Timestamp>, StoreError> {
        let mut tx = self.begin().await?;
        tx.execute(
            "INSERT INTO guesses (key, failures, last_us, blocked_us) VALUES ($1, 0, $2, 0) ON CONFLICT (key) DO NOTHING",
            params![key, now],
        )
        .await?;
        let sql =
            format!("SELECT failures, last_us, blocked_us FROM guesses WHERE key = $1 {}", self.for_update());
        let row = tx.query_opt(&sql, params![key]).await?.ok_or(StoreError::Conflict)?;
        let (blocked, last) = (row.time("blocked_us")?, row.time("last_us")?);
        // A clock that was set back must not lock anybody out for longer than the longest wait.
        let latest = now.checked_add(LONGEST).unwrap_or(Timestamp::MAX);
        if blocked > now && blocked <= latest {
            return Ok(Err(blocked));
        }
        let forgiven = last.checked_add(FORGIVEN).is_ok_and(|t| t <= now);
        let failures = if forgiven { 1 } else { row.int("failures")?.saturating_add(1) };
        let over = failures - i64::from(free);
        let wait =
            if over < 0 { Duration::ZERO } else { Duration::from_secs(1 << over.clamp(0, 10)).min(LONGEST) };
        let until = now.checked_add(wait).unwrap_or(Timestamp::MAX);
        tx.execute(
            "UPDATE guesses SET failures = $2, last_us = $3, blocked_us = $4 WHERE key = $1",
            params![key, failures, now, until],
        )
        .await?;
        tx.commit().await?;
        Ok(Ok(()))
    }

    /// Takes guesses back after a right one: all of them, or only the last.
    pub async fn forgive_guess(&self, key: &str, all: bool) -> Result<(), StoreError> {
        let left = if all { 0 } else { 1 };
        self.execute(
            "UPDATE guesses SET failures = (failures - 1) * $2, blocked_us = 0 WHERE key = $1 AND failures > 0",
            params![key, i64::from(left)],
        )
        .await?;
        Ok(())
    }
}

/// The longest wait after wrong guesses.
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// After so long without a guess, earlier ones no longer count.
const FORGIVEN: Duration = Duration::from_secs(24 * 3600);

fn stale(seen: Timestamp, now: Timestamp) -> bool {
    let age = now.duration_since(seen);
    // A last use in the future (the clock was set back) is corrected, too.
    age.is_negative() || age >= jiff::SignedDuration::try_from(SEEN_EVERY).unwrap_or_default()
}

/// Where a descending page begins: ids are UUIDs in lower case, so `~` is beyond them all.
pub(crate) fn before(page: Page) -> String {
    page.after.map_or_else(|| "~".to_owned(), |id| id.to_string())
}

/// Where an ascending page begins.
pub(crate) fn beyond(page: Page) -> String {
    page.after.map_or_else(String::new, |id| id.to_string())
}

/// A session to be written.
#[derive(Debug, Clone)]
pub struct NewSession<'a> {
    /// SHA-256 of the token, in hex.
    pub token_hash: &'a str,
    /// Who.
    pub user: Id,
    /// The organisation that they look at first.
    pub org: OrgId,
    /// Its absolute end.
    pub expires: Timestamp,
    /// From where.
    pub address: Option<&'a str>,
    /// The browser, as it names itself.
    pub agent: Option<&'a str>,
}

impl Tenant {
    /// Renames the organisation.
    ///
    /// # Errors
    /// When the database fails; likewise for all that follow.
    pub async fn rename_org(&self, name: &str, actor: &str, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.store.begin().await?;
        tx.execute("UPDATE orgs SET name = $2 WHERE id = $1", params![self.org, name]).await?;
        let say = format!("named the organisation {name}");
        self.note(&mut tx, actor, "changed", "organisation", Some(self.org.id()), &say, now).await?;
        tx.commit().await
    }

    /// Members, oldest first.
    pub async fn members(&self, page: Page) -> Result<Vec<Member>, StoreError> {
        let rows = self
            .store
            .query(
                "SELECT u.id AS user_id, u.email, u.name AS user_name, m.role, m.created_us
                 FROM members m JOIN users u ON u.id = m.user_id
                 WHERE m.org_id = $1 AND m.user_id > $2 ORDER BY m.user_id LIMIT $3",
                params![self.org, beyond(page), page.fetch()],
            )
            .await?;
        rows.iter().map(member).collect()
    }

    /// One member.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when they are none.
    pub async fn member(&self, user: Id) -> Result<Member, StoreError> {
        let row = self
            .store
            .query_opt(
                "SELECT u.id AS user_id, u.email, u.name AS user_name, m.role, m.created_us
                 FROM members m JOIN users u ON u.id = m.user_id WHERE m.org_id = $1 AND m.user_id = $2",
                params![self.org, user],
            )
            .await?;
        row.as_ref().map(member).transpose()?.ok_or(StoreError::Missing { what: "member" })
    }

    /// Changes a member's role, or removes the member (`None`) with their sessions here.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when they are none; [`StoreError::Conflict`] when the organisation would be left without
    /// an owner.
    pub async fn set_role(
        &self,
        user: Id,
        role: Option<&str>,
        actor: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.store.begin().await?;
        // Two owners who leave at once must not both succeed: they take turns at the organisation's row.
        let sql = format!("SELECT id FROM orgs WHERE id = $1 {}", self.store.for_update());
        tx.query(&sql, params![self.org]).await?;
        let row = tx
            .query_opt(
                "SELECT u.email, m.role FROM members m JOIN users u ON u.id = m.user_id
                 WHERE m.org_id = $1 AND m.user_id = $2",
                params![self.org, user],
            )
            .await?
            .ok_or(StoreError::Missing { what: "member" })?;
        let email = row.text("email")?;
        if row.text("role")? == "owner" && role != Some("owner") {
            let others = tx
                .query_opt(
                    "SELECT user_id FROM members WHERE org_id = $1 AND role = 'owner' AND user_id <> $2 LIMIT 1",
                    params![self.org, user],
                )
                .await?;
            if others.is_none() {
                return Err(StoreError::Conflict);
            }
        }
        let (action, say) = match role {
            Some(role) => {
                tx.execute(
                    "UPDATE members SET role = $3 WHERE org_id = $1 AND user_id = $2",
                    params![self.org, user, role],
                )
                .await?;
                ("changed", format!("made {email} {role}"))
            }
            None => {
                tx.execute(
                    "DELETE FROM sessions WHERE org_id = $1 AND user_id = $2",
                    params![self.org, user],
                )
                .await?;
                tx.execute("DELETE FROM members WHERE org_id = $1 AND user_id = $2", params![self.org, user])
                    .await?;
                ("deleted", format!("removed {email}"))
            }
        };
        self.note(&mut tx, actor, action, "member", Some(user), &say, now).await?;
        tx.commit().await
    }

    /// Makes an invitation in the caller's transaction, so that a mail about it is written with it or not at all.
    #[expect(clippy::too_many_arguments, reason = "each is one column of the row")]
    pub async fn invite(
        &self,
        tx: &mut Tx,
        token_hash: &str,
        email: Option<&str>,
        role: &str,
        expires: Timestamp,
        actor: &str,
        now: Timestamp,
    ) -> Result<Invitation, StoreError> {
        let id = Id::new();
        tx.execute(
            "INSERT INTO invitations (id, org_id, token_hash, email, role, invited_by, created_us, expires_us)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            params![id, self.org, token_hash, email, role, actor, now, expires],
        )
        .await?;
        let say = format!("invited {} as {role}", email.unwrap_or("somebody"));
        self.note(tx, actor, "created", "invitation", Some(id), &say, now).await?;
        Ok(Invitation {
            id,
            email: email.map(str::to_owned),
            role: role.to_owned(),
            invited_by: actor.to_owned(),
            created: now,
            expires,
            accepted: None,
        })
    }

    /// Invitations that can still be used, newest first.
    pub async fn invitations(&self, page: Page, now: Timestamp) -> Result<Vec<Invitation>, StoreError> {
        let rows = self
            .store
            .query(
                "SELECT id, email, role, invited_by, created_us, expires_us, accepted_us FROM invitations
                 WHERE org_id = $1 AND accepted_us IS NULL AND expires_us > $2 AND id < $3 ORDER BY id DESC LIMIT $4",
                params![self.org, now, before(page), page.fetch()],
            )
            .await?;
        rows.iter().map(Invitation::of).collect()
    }

    /// Takes an invitation back.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when there is none that can be used.
    pub async fn revoke_invitation(&self, id: Id, actor: &str, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.store.begin().await?;
        let gone = tx
            .execute(
                "DELETE FROM invitations WHERE org_id = $1 AND id = $2 AND accepted_us IS NULL",
                params![self.org, id],
            )
            .await?;
        if gone == 0 {
            return Err(StoreError::Missing { what: "invitation" });
        }
        self.note(&mut tx, actor, "deleted", "invitation", Some(id), "took an invitation back", now).await?;
        tx.commit().await
    }

    /// Keys, revoked ones too, newest first.
    pub async fn keys(&self, page: Page) -> Result<Vec<ApiKey>, StoreError> {
        let rows = self
            .store
            .query(
                &format!(
                    "SELECT {KEY} FROM api_keys WHERE org_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3"
                ),
                params![self.org, before(page), page.fetch()],
            )
            .await?;
        rows.iter().map(ApiKey::of).collect()
    }

    /// One key.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when there is none.
    pub async fn key(&self, id: Id) -> Result<ApiKey, StoreError> {
        let row = self
            .store
            .query_opt(
                &format!("SELECT {KEY} FROM api_keys WHERE org_id = $1 AND id = $2"),
                params![self.org, id],
            )
            .await?;
        row.as_ref().map(ApiKey::of).transpose()?.ok_or(StoreError::Missing { what: "key" })
    }

    /// Makes a key.
    pub async fn create_key(
        &self,
        new: &NewKey<'_>,
        actor: &str,
        now: Timestamp,
    ) -> Result<ApiKey, StoreError> {
        let mut tx = self.store.begin().await?;
        let key = self.insert_key(&mut tx, new, actor, now).await?;
        let say = format!("made the key {} ({})", new.name, new.scopes.join(", "));
        self.note(&mut tx, actor, "created", "key", Some(key.id), &say, now).await?;
        tx.commit().await?;
        Ok(key)
    }

    /// Makes a successor of a key; the old one works until `old_until` at the longest.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when there is no such key that works; [`StoreError::Conflict`] when it has a successor.
    pub async fn rotate_key(
        &self,
        id: Id,
        new: &NewKey<'_>,
        old_until: Timestamp,
        actor: &str,
        now: Timestamp,
    ) -> Result<ApiKey, StoreError> {
        let mut tx = self.store.begin().await?;
        let key = self.insert_key(&mut tx, new, actor, now).await?;
        let changed = tx
            .execute(
                "UPDATE api_keys SET successor_id = $3,
                 expires_us = CASE WHEN expires_us IS NULL OR expires_us > $4 THEN $4 ELSE expires_us END
                 WHERE org_id = $1 AND id = $2 AND successor_id IS NULL AND revoked_us IS NULL
                 AND (expires_us IS NULL OR expires_us > $5)",
                params![self.org, id, key.id, old_until, now],
            )
            .await?;
        if changed == 0 {
            let row = tx
                .query_opt("SELECT id FROM api_keys WHERE org_id = $1 AND id = $2", params![self.org, id])
                .await?;
            return Err(if row.is_some() {
                StoreError::Conflict
            } else {
                StoreError::Missing { what: "key" }
            });
        }
        let say = format!("rotated the key {}; the old one works until {old_until}", new.name);
        self.note(&mut tx, actor, "rotated", "key", Some(id), &say, now).await?;
        tx.commit().await?;
        Ok(key)
    }

    /// Revokes a key at once. One that was revoked already stays so.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when there is none.
    pub async fn revoke_key(&self, id: Id, actor: &str, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.store.begin().await?;
        let row = tx
            .query_opt(
                "UPDATE api_keys SET revoked_us = COALESCE(revoked_us, $3) WHERE org_id = $1 AND id = $2 RETURNING name",
                params![self.org, id, now],
            )
            .await?
            .ok_or(StoreError::Missing { what: "key" })?;
        let say = format!("revoked the key {}", row.text("name")?);
        self.note(&mut tx, actor, "revoked", "key", Some(id), &say, now).await?;
        tx.commit().await
    }

    /// Writes a line into the audit log, for a change that was made in a transaction of its own.
    pub async fn log_change(&self, change: &Change<'_>, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.store.begin().await?;
        note(&mut tx, self.org, change, now).await?;
        tx.commit().await
    }

    /// The audit log, newest first.
    pub async fn log(&self, page: Page) -> Result<Vec<LogEntry>, StoreError> {
        let rows = self
            .store
            .query(
                "SELECT id, at_us, actor, action, kind, object_id, say FROM audit_log
                 WHERE org_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
                params![self.org, before(page), page.fetch()],
            )
            .await?;
        rows.iter()
            .map(|r| {
                Ok(LogEntry {
                    id: r.id("id")?,
                    at: r.time("at_us")?,
                    actor: r.text("actor")?,
                    action: r.text("action")?,
                    kind: r.text("kind")?,
                    object: r.opt_id("object_id")?,
                    say: r.text("say")?,
                })
            })
            .collect()
    }

    async fn insert_key(
        &self,
        tx: &mut Tx,
        new: &NewKey<'_>,
        actor: &str,
        now: Timestamp,
    ) -> Result<ApiKey, StoreError> {
        let id = Id::new();
        tx.execute(
            "INSERT INTO api_keys (id, org_id, name, prefix, secret_hash, scopes, created_by, created_us, expires_us)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            params![
                id,
                self.org,
                new.name,
                new.prefix,
                new.secret_hash,
                crate::json(new.scopes),
                actor,
                now,
                new.expires
            ],
        )
        .await?;
        Ok(ApiKey {
            id,
            name: new.name.to_owned(),
            prefix: new.prefix.to_owned(),
            scopes: new.scopes.to_vec(),
            created_by: actor.to_owned(),
            created: now,
            expires: new.expires,
            last_used: None,
            revoked: None,
            successor: None,
        })
    }

    #[expect(clippy::too_many_arguments, reason = "one line of a log has so many parts")]
    pub(crate) async fn note(
        &self,
        tx: &mut Tx,
        actor: &str,
        action: &str,
        kind: &str,
        object: Option<Id>,
        say: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        note(tx, self.org, &Change { actor, action, kind, object, say }, now).await
    }
}

fn member(row: &Row) -> Result<Member, StoreError> {
    Ok(Member { user: User::of(row)?, role: row.text("role")?, created: row.time("created_us")? })
}
