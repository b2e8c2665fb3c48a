-- Public status pages, and what people write on them.

CREATE TABLE status_pages (
  id          TEXT PRIMARY KEY,
  org_id      TEXT NOT NULL REFERENCES orgs(id),
  -- In the URL, so one for the whole server.
  slug        TEXT NOT NULL UNIQUE,
  title       TEXT NOT NULL,
  about       TEXT NOT NULL DEFAULT '',
  -- Only monitors that carry this label (`name=value`); empty shows all public ones.
  label       TEXT NOT NULL DEFAULT '',
  -- Asks search engines to leave it out.
  noindex     BIGINT NOT NULL DEFAULT 0,
  -- A draft is seen by nobody outside.
  published   BIGINT NOT NULL DEFAULT 1,
  created_us  BIGINT NOT NULL,
  updated_us  BIGINT NOT NULL
);
CREATE INDEX status_pages_by_org ON status_pages (org_id, id);

-- An incident or a maintenance that people announce by hand.
CREATE TABLE status_posts (
  id           TEXT PRIMARY KEY,
  org_id       TEXT NOT NULL REFERENCES orgs(id),
  page_id      TEXT NOT NULL REFERENCES status_pages(id),
  -- incident, maintenance
  kind         TEXT NOT NULL,
  title        TEXT NOT NULL,
  -- investigating, identified, monitoring, resolved; scheduled, in-progress, completed
  state        TEXT NOT NULL,
  starts_us    BIGINT NOT NULL,
  ends_us      BIGINT,
  closed_us    BIGINT,
  created_us   BIGINT NOT NULL,
  updated_us   BIGINT NOT NULL
);
CREATE INDEX status_posts_by_page ON status_posts (page_id, starts_us);

CREATE TABLE status_updates (
  id        TEXT PRIMARY KEY,
  org_id    TEXT NOT NULL,
  post_id   TEXT NOT NULL REFERENCES status_posts(id),
  at_us     BIGINT NOT NULL,
  state     TEXT NOT NULL,
  author    TEXT NOT NULL,
  say       TEXT NOT NULL
);
CREATE INDEX status_updates_by_post ON status_updates (post_id, at_us);
