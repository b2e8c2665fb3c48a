//! Public status pages: what an organisation keeps, and what anybody may read of it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use crate::accounts::{before, beyond};
use crate::monitors::{Expect, Written, later};
use crate::{Id, OrgId, Page, Row, Store, StoreError, Tenant, Value, params};

/// A status page as its organisation keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusPage {
    /// Its id.
    pub id: Id,
    /// Its name in the URL.
    pub slug: String,
    /// Its title.
    pub title: String,
    /// A few words below the title.
    pub about: String,
    /// Only monitors that carry this label (`name=value`); empty shows all public ones.
    pub label: String,
    /// Whether search engines are asked to leave it out.
    pub noindex: bool,
    /// Whether it can be seen.
    pub published: bool,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last changed.
    pub updated: Timestamp,
}

/// What is to be kept of a status page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusPagePut<'a> {
    /// Its name in the URL: 1 to 60 of `a-z`, `0-9` and `-`.
    pub slug: &'a str,
    /// Its title.
    pub title: &'a str,
    /// A few words below the title.
    pub about: &'a str,
    /// `name=value`, or empty.
    pub label: &'a str,
    /// Whether search engines are asked to leave it out.
    pub noindex: bool,
    /// Whether it can be seen.
    pub published: bool,
}

/// What a post announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PostKind {
    /// Trouble.
    Incident,
    /// Work that was planned.
    Maintenance,
}

impl PostKind {
    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Incident => "incident",
            Self::Maintenance => "maintenance",
        }
    }

    /// The states that such a post goes through; the last one closes it.
    pub fn states(self) -> &'static [&'static str] {
        match self {
            Self::Incident => &["investigating", "identified", "monitoring", "resolved"],
            Self::Maintenance => &["scheduled", "in-progress", "completed"],
        }
    }

    /// Whether a state closes a post.
    pub fn closes(self, state: &str) -> bool {
        self.states().last() == Some(&state)
    }
}

impl std::str::FromStr for PostKind {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "incident" => Ok(Self::Incident),
            "maintenance" => Ok(Self::Maintenance),
            _ => Err(()),
        }
    }
}

/// An announcement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusPost {
    /// Its id.
    pub id: Id,
    /// The page that it stands on.
    pub page: Id,
    /// What it announces.
    pub kind: PostKind,
    /// Its title.
    pub title: String,
    /// One of [`PostKind::states`].
    pub state: String,
    /// When it began or will begin.
    pub starts: Timestamp,
    /// When planned work will end.
    pub ends: Option<Timestamp>,
    /// The IANA zone in which its times were said.
    pub zone: String,
    /// When it was closed.
    pub closed: Option<Timestamp>,
    /// What was written about it, newest first.
    pub updates: Vec<StatusUpdate>,
}

/// One thing that was written about a post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusUpdate {
    /// When.
    pub at: Timestamp,
    /// The state from then on.
    pub state: String,
    /// Who wrote it; for the organisation, not for the public.
    pub author: String,
    /// What.
    pub say: String,
}

/// What is announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusPostPut<'a> {
    /// What it announces.
    pub kind: PostKind,
    /// Its title.
    pub title: &'a str,
    /// One of [`PostKind::states`].
    pub state: &'a str,
    /// When it began or will begin.
    pub starts: Timestamp,
    /// When planned work will end.
    pub ends: Option<Timestamp>,
    /// The IANA zone in which these times were said.
    pub zone: &'a str,
    /// The first thing that is written about it.
    pub say: &'a str,
    /// Who writes.
    pub author: &'a str,
}

/// Everything that a public page shows, read in one go. Nothing of a monitor that is not public is in it.
#[derive(Debug, Clone, PartialEq)]
pub struct PublicStatus {
    /// The page.
    pub page: StatusPage,
    /// The monitors, by name.
    pub monitors: Vec<PublicMonitor>,
    /// Incidents that the watch saw, newest first: those that are open, and those of the last days.
    pub incidents: Vec<PublicIncident>,
    /// What people wrote, newest first.
    pub posts: Vec<StatusPost>,
    /// Maintenance windows of the organisation as they are declared, in JSON. When they open is told by whoever can read
    /// them; neither their names nor their other monitors are for the public.
    pub windows: Vec<String>,
}

/// A monitor as the public sees it: not its address, not its reason.
#[derive(Debug, Clone, PartialEq)]
pub struct PublicMonitor {
    /// Its id.
    pub id: Id,
    /// The name under which configuration files know it; not for the public.
    pub external_id: String,
    /// Its labels; not for the public.
    pub labels: BTreeMap<String, String>,
    /// Its name.
    pub name: String,
    /// `up`, `degraded`, `down`, … as in the API.
    pub verdict: String,
    /// When it was last checked.
    pub last_check: Option<Timestamp>,
    /// Between two checks, in microseconds.
    pub interval_us: i64,
    /// Sums by day, oldest first; days without a row were not watched.
    pub days: Vec<Sums>,
}

/// Sums over the results of one bucket.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sums {
    /// When it begins, in microseconds.
    pub from_us: i64,
    /// Results by outcome.
    pub up: u64,
    /// Slow or otherwise degraded.
    pub degraded: u64,
    /// Failed.
    pub down: u64,
    /// Could not be told.
    pub inconclusive: u64,
    /// In maintenance.
    pub maintenance: u64,
    /// Ticks at which nothing was checked.
    pub missed: u64,
}

impl Sums {
    /// Share up or degraded among conclusive results; `None` when there was none.
    pub fn uptime<'a>(of: impl IntoIterator<Item = &'a Self>) -> Option<f64> {
        let (good, down) =
            of.into_iter().fold((0, 0), |(good, down), s| (good + s.up + s.degraded, down + s.down));
        (good + down > 0).then(|| good as f64 / (good + down) as f64)
    }

    fn of(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            from_us: row.int("bucket_us")?,
            up: row.count("up")?,
            degraded: row.count("degraded")?,
            down: row.count("down")?,
            inconclusive: row.count("inconclusive")?,
            maintenance: row.count("maintenance")?,
            missed: row.count("missed")?,
        })
    }
}

/// An incident as the public sees it: which public monitors, and when. Neither its title nor its cause, which may name
/// what is not public.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicIncident {
    /// Its id.
    pub id: Id,
    /// Names of the public monitors in it.
    pub monitors: Vec<String>,
    /// When the first failing check was made.
    pub began: Timestamp,
    /// When it was over.
    pub resolved: Option<Timestamp>,
}

/// What a badge shows.
#[derive(Debug, Clone, PartialEq)]
pub struct PublicBadge {
    /// The monitor's name.
    pub name: String,
    /// Its verdict.
    pub verdict: String,
    /// Share up by span: 24 hours, 7, 30 and 90 days.
    pub uptime: [Option<f64>; 4],
}

/// The part of a monitor's declaration that decides whether it is shown.
#[derive(Debug, Deserialize)]
struct Shown {
    #[serde(default)]
    public: bool,
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

impl Shown {
    fn carries(&self, label: &str) -> bool {
        match label.split_once('=') {
            None => label.is_empty(),
            Some((name, value)) => self.labels.get(name.trim()).is_some_and(|v| v == value.trim()),
        }
    }
}

const DAY_US: i64 = 86_400_000_000;

/// Monitors that one page shows at most.
const MOST_MONITORS: usize = 500;

const PAGE: &str = "SELECT id, org_id, slug, title, about, label, noindex, published, created_us, updated_us FROM status_pages";

const POST: &str =
    "SELECT id, page_id, kind, title, state, starts_us, ends_us, zone, closed_us FROM status_posts";

impl StatusPage {
    fn of(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id("id")?,
            slug: row.text("slug")?,
            title: row.text("title")?,
            about: row.text("about")?,
            label: row.text("label")?,
            noindex: row.flag("noindex")?,
            published: row.flag("published")?,
            created: row.time("created_us")?,
            updated: row.time("updated_us")?,
        })
    }
}

impl Store {
    /// What the public sees under a slug; `None` when there is no such page or it is a draft.
    ///
    /// Incidents and posts reach back to `since`.
    ///
    /// # Errors
    /// When the database fails; likewise for all that follow.
    pub async fn public_status(
        &self,
        slug: &str,
        now: Timestamp,
        since: Timestamp,
    ) -> Result<Option<PublicStatus>, StoreError> {
        let sql = format!("{PAGE} WHERE slug = $1 AND published = 1");
        let Some(row) = self.query_opt(&sql, params![slug]).await? else { return Ok(None) };
        let org = row.org("org_id")?;
        let page = StatusPage::of(&row)?;
        let mut monitors = self.public_monitors(org, &page.label).await?;
        let first = now.as_microsecond().div_euclid(DAY_US) * DAY_US - 89 * DAY_US;
        let ids: BTreeMap<Id, usize> = monitors.iter().enumerate().map(|(i, m)| (m.id, i)).collect();
        if !ids.is_empty() {
            let rows = self
                .query(
                    "SELECT monitor_id, bucket_us, up, degraded, down, inconclusive, maintenance, missed FROM rollups
                     WHERE org_id = $1 AND grain = 'day' AND bucket_us >= $2 ORDER BY bucket_us",
                    params![org, first],
                )
                .await?;
            for row in &rows {
                if let Some(place) = ids.get(&row.id("monitor_id")?) {
                    monitors[*place].days.push(Sums::of(row)?);
                }
            }
        }
        let incidents = self.public_incidents(org, &monitors, since).await?;
        let posts = self.status_posts(org, page.id, since).await?;
        let rows = self
            .query("SELECT spec FROM windows WHERE org_id = $1 ORDER BY id LIMIT 200", params![org])
            .await?;
        let windows = rows.iter().map(|r| r.text("spec")).collect::<Result<_, _>>()?;
        Ok(Some(PublicStatus { page, monitors, incidents, posts, windows }))
    }

    async fn public_monitors(&self, org: OrgId, label: &str) -> Result<Vec<PublicMonitor>, StoreError> {
        // The text narrows the rows down; what decides is the declaration itself.
        let rows = self
            .query(
                "SELECT m.id, m.external_id, m.name, m.spec, m.paused, m.interval_us, s.verdict, s.last_check_us
                 FROM monitors m LEFT JOIN monitor_states s ON s.monitor_id = m.id
                 WHERE m.org_id = $1 AND m.deleted_us IS NULL AND m.spec LIKE '%\"public\":true%' ORDER BY m.name, m.id",
                params![org],
            )
            .await?;
        let mut monitors = Vec::new();
        for row in &rows {
            let shown: Shown = row.json("spec")?;
            if shown.public && shown.carries(label) && monitors.len() < MOST_MONITORS {
                monitors.push(PublicMonitor {
                    id: row.id("id")?,
                    external_id: row.text("external_id")?,
                    labels: shown.labels,
                    name: row.text("name")?,
                    verdict: verdict(row)?,
                    last_check: row.opt_time("last_check_us")?,
                    interval_us: row.int("interval_us")?,
                    days: Vec::new(),
                });
            }
        }
        Ok(monitors)
    }

    async fn public_incidents(
        &self,
        org: OrgId,
        monitors: &[PublicMonitor],
        since: Timestamp,
    ) -> Result<Vec<PublicIncident>, StoreError> {
        let names: BTreeMap<Id, &str> = monitors.iter().map(|m| (m.id, m.name.as_str())).collect();
        let rows = self
            .query(
                "SELECT i.id, i.began_us, i.resolved_us, p.monitor_id FROM incidents i
                 JOIN incident_monitors p ON p.incident_id = i.id
                 WHERE i.org_id = $1 AND p.org_id = $1 AND i.status <> 'confirming'
                   AND (i.resolved_us IS NULL OR i.began_us >= $2)
                 ORDER BY i.began_us DESC, i.id DESC, p.joined_us LIMIT 5000",
                params![org, since],
            )
            .await?;
        let mut incidents: Vec<PublicIncident> = Vec::new();
        for row in &rows {
            let Some(name) = names.get(&row.id("monitor_id")?) else { continue };
            let id = row.id("id")?;
            match incidents.last_mut() {
                Some(last) if last.id == id => last.monitors.push((*name).to_owned()),
                _ => incidents.push(PublicIncident {
                    id,
                    monitors: vec![(*name).to_owned()],
                    began: row.time("began_us")?,
                    resolved: row.opt_time("resolved_us")?,
                }),
            }
        }
        Ok(incidents)
    }

    async fn status_posts(
        &self,
        org: OrgId,
        page: Id,
        since: Timestamp,
    ) -> Result<Vec<StatusPost>, StoreError> {
        let rows = self
            .query(
                &format!(
                    "{POST}
                 WHERE org_id = $1 AND page_id = $2 AND (closed_us IS NULL OR starts_us >= $3)
                 ORDER BY starts_us DESC, id DESC LIMIT 200"
                ),
                params![org, page, since],
            )
            .await?;
        let mut posts = rows.iter().map(post).collect::<Result<Vec<_>, _>>()?;
        let places: BTreeMap<Id, usize> = posts.iter().enumerate().map(|(i, p)| (p.id, i)).collect();
        let rows = self
            .query(
                "SELECT u.post_id, u.at_us, u.state, u.author, u.say FROM status_updates u
                 JOIN status_posts p ON p.id = u.post_id
                 WHERE u.org_id = $1 AND p.page_id = $2 AND (p.closed_us IS NULL OR p.starts_us >= $3)
                 ORDER BY u.at_us DESC, u.id DESC LIMIT 2000",
                params![org, page, since],
            )
            .await?;
        for row in &rows {
            if let Some(place) = places.get(&row.id("post_id")?) {
                posts[*place].updates.push(update(row)?);
            }
        }
        Ok(posts)
    }

    /// What a badge of a public monitor shows; `None` for a monitor that is not public as for one that is not there.
    pub async fn public_badge(&self, monitor: Id, now: Timestamp) -> Result<Option<PublicBadge>, StoreError> {
        let row = self
            .query_opt(
                "SELECT m.name, m.spec, m.paused, s.verdict FROM monitors m
                 LEFT JOIN monitor_states s ON s.monitor_id = m.id WHERE m.id = $1 AND m.deleted_us IS NULL",
                params![monitor],
            )
            .await?;
        let Some(row) = row else { return Ok(None) };
        if !row.json::<Shown>("spec")?.public {
            return Ok(None);
        }
        let now_us = now.as_microsecond();
        let hour_us = 3_600_000_000;
        let today = now_us.div_euclid(DAY_US) * DAY_US;
        let spans = [
            ("hour", now_us.div_euclid(hour_us) * hour_us - 23 * hour_us),
            ("day", today - 6 * DAY_US),
            ("day", today - 29 * DAY_US),
            ("day", today - 89 * DAY_US),
        ];
        let rows = self
            .query(
                "SELECT grain, bucket_us, up, degraded, down, inconclusive, maintenance, missed FROM rollups
                 WHERE monitor_id = $1 AND ((grain = 'hour' AND bucket_us >= $2) OR (grain = 'day' AND bucket_us >= $3))",
                params![monitor, spans[0].1, spans[3].1],
            )
            .await?;
        let mut sums = Vec::new();
        for row in &rows {
            sums.push((row.text("grain")?, Sums::of(row)?));
        }
        let uptime = spans.map(|(grain, from)| {
            Sums::uptime(sums.iter().filter(|(g, s)| g == grain && s.from_us >= from).map(|(_, s)| s))
        });
        Ok(Some(PublicBadge { name: row.text("name")?, verdict: verdict(&row)?, uptime }))
    }
}

fn verdict(row: &Row) -> Result<String, StoreError> {
    if row.flag("paused")? {
        return Ok("paused".into());
    }
    Ok(row.opt_text("verdict")?.unwrap_or_else(|| "new".into()))
}

fn post(row: &Row) -> Result<StatusPost, StoreError> {
    let kind = row.text("kind")?;
    Ok(StatusPost {
        id: row.id("id")?,
        page: row.id("page_id")?,
        kind: kind.parse().unwrap_or(PostKind::Incident),
        title: row.text("title")?,
        state: row.text("state")?,
        starts: row.time("starts_us")?,
        ends: row.opt_time("ends_us")?,
        zone: row.text("zone")?,
        closed: row.opt_time("closed_us")?,
        updates: Vec::new(),
    })
}

fn update(row: &Row) -> Result<StatusUpdate, StoreError> {
    Ok(StatusUpdate {
        at: row.time("at_us")?,
        state: row.text("state")?,
        author: row.text("author")?,
        say: row.text("say")?,
    })
}

impl Tenant {
    /// The organisation's status pages, oldest first.
    pub async fn status_pages(&self, page: Page) -> Result<Vec<StatusPage>, StoreError> {
        let sql = format!("{PAGE} WHERE org_id = $1 AND id > $2 ORDER BY id LIMIT $3");
        let rows = self.store.query(&sql, params![self.org, beyond(page), page.fetch()]).await?;
        rows.iter().map(StatusPage::of).collect()
    }

    /// The one with this slug; `None` as well when it is another organisation's.
    pub async fn status_page_by_slug(&self, slug: &str) -> Result<Option<StatusPage>, StoreError> {
        let sql = format!("{PAGE} WHERE org_id = $1 AND slug = $2");
        self.store.query_opt(&sql, params![self.org, slug]).await?.as_ref().map(StatusPage::of).transpose()
    }

    /// One of them.
    pub async fn status_page(&self, id: Id) -> Result<StatusPage, StoreError> {
        let sql = format!("{PAGE} WHERE org_id = $1 AND id = $2");
        let row = self.store.query_opt(&sql, params![self.org, id]).await?;
        row.as_ref().map(StatusPage::of).transpose()?.ok_or(StoreError::Missing { what: "status page" })
    }

    /// Makes a status page.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when the slug is taken, by whomever.
    pub async fn create_status_page(
        &self,
        put: StatusPagePut<'_>,
        actor: &str,
        now: Timestamp,
    ) -> Result<Id, StoreError> {
        let id = Id::new();
        let mut tx = self.store.begin().await?;
        tx.execute(
            "INSERT INTO status_pages (id, org_id, slug, title, about, label, noindex, published, created_us, updated_us)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)",
            params![id, self.org, put.slug, put.title, put.about, put.label, put.noindex, put.published, now],
        )
        .await?;
        let say = format!("created the status page {}", put.slug);
        self.note(&mut tx, actor, "created", "status-page", Some(id), &say, now).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// Changes a status page.
    ///
    /// # Errors
    /// [`StoreError::Missing`], [`StoreError::Exists`] when the slug is taken, or [`StoreError::Conflict`] when the page is
    /// not as expected.
    pub async fn change_status_page(
        &self,
        id: Id,
        put: StatusPagePut<'_>,
        expect: Expect,
        actor: &str,
        now: Timestamp,
    ) -> Result<Written, StoreError> {
        let mut tx = self.store.begin().await?;
        let sql = format!("{PAGE} WHERE org_id = $1 AND id = $2 {}", self.store.for_update());
        let row = tx.query_opt(&sql, params![self.org, id]).await?;
        let row = row.as_ref().map(StatusPage::of).transpose()?;
        let row = row.ok_or(StoreError::Missing { what: "status page" })?;
        match expect {
            Expect::Absent => return Err(StoreError::Conflict),
            Expect::Unchanged(at) if at != row.updated => return Err(StoreError::Conflict),
            _ => {}
        }
        let same = (put.slug, put.title, put.about, put.label, put.noindex, put.published)
            == (&*row.slug, &*row.title, &*row.about, &*row.label, row.noindex, row.published);
        if same {
            return Ok(Written::Same);
        }
        let at = later(row.updated, now);
        tx.execute(
            "UPDATE status_pages SET slug = $3, title = $4, about = $5, label = $6, noindex = $7, published = $8, updated_us = $9
             WHERE org_id = $1 AND id = $2",
            params![self.org, id, put.slug, put.title, put.about, put.label, put.noindex, put.published, at],
        )
        .await?;
        let say = format!("changed the status page {}", put.slug);
        self.note(&mut tx, actor, "changed", "status-page", Some(id), &say, now).await?;
        tx.commit().await?;
        Ok(Written::Changed)
    }

    /// Removes a status page with everything that was written on it.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when there is none.
    pub async fn delete_status_page(&self, id: Id, actor: &str, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.store.begin().await?;
        let of_page = params![self.org, id];
        tx.execute(
            "DELETE FROM status_updates WHERE org_id = $1 AND post_id IN (SELECT id FROM status_posts WHERE org_id = $1 AND page_id = $2)",
            of_page,
        )
        .await?;
        tx.execute("DELETE FROM status_posts WHERE org_id = $1 AND page_id = $2", of_page).await?;
        let gone = tx
            .query_opt("DELETE FROM status_pages WHERE org_id = $1 AND id = $2 RETURNING slug", of_page)
            .await?
            .ok_or(StoreError::Missing { what: "status page" })?;
        let say = format!("deleted the status page {}", gone.text("slug")?);
        self.note(&mut tx, actor, "deleted", "status-page", Some(id), &say, now).await?;
        tx.commit().await
    }

    /// Announcements on a page, the newest first, with all that was written about each.
    pub async fn announcements(&self, of: Id, page: Page) -> Result<Vec<StatusPost>, StoreError> {
        let sql = format!("{POST} WHERE org_id = $1 AND page_id = $2 AND id < $3 ORDER BY id DESC LIMIT $4");
        let rows = self.store.query(&sql, params![self.org, of, before(page), page.fetch()]).await?;
        let mut posts = rows.iter().map(post).collect::<Result<Vec<_>, _>>()?;
        let (Some(newest), Some(oldest)) = (posts.first().map(|p| p.id), posts.last().map(|p| p.id)) else {
            return Ok(posts);
        };
        let rows = self
            .store
            .query(
                "SELECT u.post_id, u.at_us, u.state, u.author, u.say FROM status_updates u
                 JOIN status_posts p ON p.id = u.post_id
                 WHERE u.org_id = $1 AND p.page_id = $2 AND p.id <= $3 AND p.id >= $4
                 ORDER BY u.at_us DESC, u.id DESC LIMIT 5000",
                params![self.org, of, newest, oldest],
            )
            .await?;
        let places: BTreeMap<Id, usize> = posts.iter().enumerate().map(|(i, p)| (p.id, i)).collect();
        for row in &rows {
            if let Some(place) = places.get(&row.id("post_id")?) {
                posts[*place].updates.push(update(row)?);
            }
        }
        Ok(posts)
    }

    /// One announcement.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when the organisation has no such one.
    pub async fn announcement(&self, id: Id) -> Result<StatusPost, StoreError> {
        let sql = format!("{POST} WHERE org_id = $1 AND id = $2");
        let row = self.store.query_opt(&sql, params![self.org, id]).await?;
        let mut found =
            row.as_ref().map(post).transpose()?.ok_or(StoreError::Missing { what: "announcement" })?;
        let rows = self
            .store
            .query(
                "SELECT post_id, at_us, state, author, say FROM status_updates WHERE org_id = $1 AND post_id = $2
                 ORDER BY at_us DESC, id DESC LIMIT 500",
                params![self.org, id],
            )
            .await?;
        found.updates = rows.iter().map(update).collect::<Result<_, _>>()?;
        Ok(found)
    }

    /// Announces something on a page.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when the organisation has no such page.
    pub async fn create_status_post(
        &self,
        page: Id,
        put: StatusPostPut<'_>,
        now: Timestamp,
    ) -> Result<Id, StoreError> {
        let id = Id::new();
        let mut tx = self.store.begin().await?;
        let known = tx
            .query_opt("SELECT id FROM status_pages WHERE org_id = $1 AND id = $2", params![self.org, page])
            .await?;
        known.ok_or(StoreError::Missing { what: "status page" })?;
        let closed = put.kind.closes(put.state).then_some(now);
        let row = params![
            id,
            self.org,
            page,
            put.kind.word(),
            put.title,
            put.state,
            put.starts,
            put.ends,
            put.zone,
            closed,
            now
        ];
        tx.execute(
            "INSERT INTO status_posts (id, org_id, page_id, kind, title, state, starts_us, ends_us, zone, closed_us, created_us, updated_us)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)",
            row,
        )
        .await?;
        let row: [Value; 7] = [
            Id::new().into(),
            self.org.into(),
            id.into(),
            now.into(),
            put.state.into(),
            put.author.into(),
            put.say.into(),
        ];
        tx.execute(INSERT_UPDATE, &row).await?;
        let say = format!("announced {}", put.title);
        self.note(&mut tx, put.author, "created", "announcement", Some(id), &say, now).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// Writes an update to a post, with the state from then on: the id of the page that it stands on.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when the organisation has no such post, or the state is none of its kind's.
    pub async fn update_status_post(
        &self,
        post: Id,
        state: &str,
        say: &str,
        author: &str,
        now: Timestamp,
    ) -> Result<Id, StoreError> {
        let mut tx = self.store.begin().await?;
        let row = tx
            .query_opt(
                "SELECT kind, page_id FROM status_posts WHERE org_id = $1 AND id = $2",
                params![self.org, post],
            )
            .await?
            .ok_or(StoreError::Missing { what: "announcement" })?;
        let kind: PostKind = row.word("kind")?;
        let page = row.id("page_id")?;
        if !kind.states().contains(&state) {
            return Err(StoreError::Missing { what: "state" });
        }
        let closed = kind.closes(state).then_some(now);
        tx.execute(
            "UPDATE status_posts SET state = $3, closed_us = $4, updated_us = $5 WHERE org_id = $1 AND id = $2",
            params![self.org, post, state, closed, now],
        )
        .await?;
        let row = params![Id::new(), self.org, post, now, state, author, say];
        tx.execute(INSERT_UPDATE, row).await?;
        let say = format!("wrote to an announcement, which is {state} now");
        self.note(&mut tx, author, "changed", "announcement", Some(post), &say, now).await?;
        tx.commit().await?;
        Ok(page)
    }

    /// How many monitors there are by verdict.
    pub async fn verdict_counts(&self) -> Result<BTreeMap<String, u64>, StoreError> {
        let rows = self
            .store
            .query(
                "SELECT CASE WHEN m.paused = 1 THEN 'paused' ELSE COALESCE(s.verdict, 'new') END AS verdict, count(*) AS n
                 FROM monitors m LEFT JOIN monitor_states s ON s.monitor_id = m.id
                 WHERE m.org_id = $1 AND m.deleted_us IS NULL
                 GROUP BY CASE WHEN m.paused = 1 THEN 'paused' ELSE COALESCE(s.verdict, 'new') END",
                params![self.org],
            )
            .await?;
        rows.iter().map(|r| Ok((r.text("verdict")?, r.count("n")?))).collect()
    }

    /// How many incidents are open.
    pub async fn open_incident_count(&self) -> Result<u64, StoreError> {
        let row = self
            .store
            .query_opt(
                "SELECT count(*) AS n FROM incidents WHERE org_id = $1 AND resolved_us IS NULL",
                params![self.org],
            )
            .await?;
        row.map_or(Ok(0), |r| r.count("n"))
    }

    /// Hourly sums of all monitors with ids from `first` to `last` since a moment, for the bars of a list.
    pub async fn hourly_sums(
        &self,
        first: Id,
        last: Id,
        since: Timestamp,
    ) -> Result<BTreeMap<Id, Vec<Sums>>, StoreError> {
        let rows = self
            .store
            .query(
                "SELECT monitor_id, bucket_us, up, degraded, down, inconclusive, maintenance, missed FROM rollups
                 WHERE org_id = $1 AND grain = 'hour' AND bucket_us >= $2 AND monitor_id >= $3 AND monitor_id <= $4
                 ORDER BY bucket_us",
                params![self.org, since, first, last],
            )
            .await?;
        let mut sums: BTreeMap<Id, Vec<Sums>> = BTreeMap::new();
        for row in &rows {
            sums.entry(row.id("monitor_id")?).or_default().push(Sums::of(row)?);
        }
        Ok(sums)
    }
}

const INSERT_UPDATE: &str = "INSERT INTO status_updates (id, org_id, post_id, at_us, state, author, say) VALUES ($1, $2, $3, $4, $5, $6, $7)";
