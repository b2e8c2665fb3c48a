-- Heartbeats with their pings and flips, and the jobs of the server itself. Times are microseconds since the Unix epoch.

CREATE TABLE heartbeats (
  -- The secret part of its ping URL.
  id              TEXT PRIMARY KEY,
  org_id          TEXT NOT NULL REFERENCES orgs(id),
  external_id     TEXT NOT NULL,
  -- The name in ping URLs with a key. Not unique: two heartbeats may share it, and such a URL is then ambiguous.
  slug            TEXT NOT NULL,
  name            TEXT NOT NULL,
  spec            TEXT NOT NULL,
  origin          TEXT NOT NULL DEFAULT 'api',
  -- new, up, down, paused
  status          TEXT NOT NULL,
  -- The state machine, whole, as JSON.
  state           TEXT NOT NULL,
  pings           BIGINT NOT NULL DEFAULT 0,
  last_ping_us    BIGINT,
  -- When it will be down unless something comes.
  alert_after_us  BIGINT,
  incident_id     TEXT,
  created_us      BIGINT NOT NULL,
  updated_us      BIGINT NOT NULL,
  UNIQUE (org_id, external_id)
);
CREATE INDEX heartbeats_by_slug ON heartbeats (org_id, slug);
CREATE INDEX heartbeats_due ON heartbeats (alert_after_us) WHERE alert_after_us IS NOT NULL;

CREATE TABLE heartbeat_pings (
  heartbeat_id  TEXT NOT NULL,
  -- Counts from 1 for each heartbeat.
  n             BIGINT NOT NULL,
  org_id        TEXT NOT NULL,
  at_us         BIGINT NOT NULL,
  -- start, success, fail, log, ignored
  kind          TEXT NOT NULL,
  method        TEXT NOT NULL,
  agent         TEXT,
  address       TEXT,
  body          TEXT,
  rid           TEXT,
  exit_status   BIGINT,
  duration_us   BIGINT,
  PRIMARY KEY (heartbeat_id, n)
);

CREATE TABLE heartbeat_flips (
  id            TEXT PRIMARY KEY,
  heartbeat_id  TEXT NOT NULL,
  org_id        TEXT NOT NULL,
  at_us         BIGINT NOT NULL,
  before        TEXT NOT NULL,
  after         TEXT NOT NULL,
  -- timeout, fail, ping
  reason        TEXT NOT NULL
);
CREATE INDEX heartbeat_flips_by_heartbeat ON heartbeat_flips (heartbeat_id, at_us);
CREATE INDEX heartbeat_flips_by_time ON heartbeat_flips (at_us);

-- One key an organisation, for ping URLs by slug.
CREATE TABLE ping_keys (
  org_id      TEXT PRIMARY KEY REFERENCES orgs(id),
  key         TEXT NOT NULL UNIQUE,
  created_us  BIGINT NOT NULL
);

CREATE TABLE jobs (
  name             TEXT PRIMARY KEY,
  -- The tick that is next; whoever moves it on owns the run.
  next_us          BIGINT NOT NULL,
  first_seen_us    BIGINT NOT NULL,
  running_us       BIGINT,
  running_by       TEXT,
  last_run_us      BIGINT,
  -- ok, failed, off
  last_outcome     TEXT,
  last_success_us  BIGINT,
  took_us          BIGINT,
  say              TEXT,
  worked_on        BIGINT,
  run_id           TEXT
);

CREATE TABLE job_runs (
  id            TEXT PRIMARY KEY,
  name          TEXT NOT NULL,
  scheduled_us  BIGINT NOT NULL,
  started_us    BIGINT NOT NULL,
  ended_us      BIGINT,
  -- running, ok, failed, off
  outcome       TEXT NOT NULL,
  say           TEXT,
  worked_on     BIGINT,
  owner         TEXT NOT NULL
);
CREATE INDEX job_runs_by_time ON job_runs (started_us);
CREATE INDEX job_runs_by_name ON job_runs (name, started_us);

-- What jobs remember from run to run: watermarks, baselines, what was warned of.
CREATE TABLE job_memory (
  job    TEXT NOT NULL,
  key    TEXT NOT NULL,
  value  TEXT NOT NULL,
  PRIMARY KEY (job, key)
);

-- What the public may see of an organisation, computed beforehand.
CREATE TABLE status_cache (
  org_id  TEXT PRIMARY KEY REFERENCES orgs(id),
  body    TEXT NOT NULL,
  at_us   BIGINT NOT NULL
);
