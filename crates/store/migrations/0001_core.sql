-- Tenants, monitors, their results and states, incidents, and the outbox. Times are microseconds since the Unix epoch.

CREATE TABLE orgs (
  id          TEXT PRIMARY KEY,
  slug        TEXT NOT NULL UNIQUE,
  name        TEXT NOT NULL,
  plan        TEXT NOT NULL DEFAULT 'free',
  created_us  BIGINT NOT NULL
);

CREATE TABLE monitors (
  id           TEXT PRIMARY KEY,
  org_id       TEXT NOT NULL REFERENCES orgs(id),
  -- The name under which configuration files and scripts know it; survives a rename of `name`.
  external_id  TEXT NOT NULL,
  name         TEXT NOT NULL,
  kind         TEXT NOT NULL,
  spec         TEXT NOT NULL,
  interval_us  BIGINT NOT NULL,
  paused       BIGINT NOT NULL DEFAULT 0,
  -- Whether a configuration file owns it ("file") or the API does ("api").
  origin       TEXT NOT NULL DEFAULT 'api',
  created_us   BIGINT NOT NULL,
  updated_us   BIGINT NOT NULL,
  deleted_us   BIGINT,
  UNIQUE (org_id, external_id)
);
CREATE INDEX monitors_changed ON monitors (updated_us);
CREATE INDEX monitors_by_org ON monitors (org_id, id) WHERE deleted_us IS NULL;

-- What is true of a monitor now. One row a monitor, so that lists never read results.
CREATE TABLE monitor_states (
  monitor_id    TEXT PRIMARY KEY REFERENCES monitors(id),
  org_id        TEXT NOT NULL,
  verdict       TEXT NOT NULL,
  since_us      BIGINT NOT NULL,
  -- The state machine, whole, as JSON.
  state         TEXT NOT NULL,
  last_check_us BIGINT,
  last_up_us    BIGINT,
  last_took_us  BIGINT,
  last_say      TEXT,
  last_reason   TEXT,
  -- Snapshot of the last good check, for the difference.
  last_good     TEXT,
  incident_id   TEXT,
  -- Evidence of the first failing attempt of the present streak.
  first_bad_id  TEXT,
  -- The last tick that was checked or recorded as missed: progress that survives a restart.
  tick_us       BIGINT NOT NULL DEFAULT 0,
  version       BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX monitor_states_by_org ON monitor_states (org_id, verdict);

CREATE TABLE results (
  id            TEXT PRIMARY KEY,
  org_id        TEXT NOT NULL,
  monitor_id    TEXT NOT NULL,
  -- The tick; a retry carries the tick it belongs to.
  scheduled_us  BIGINT NOT NULL,
  attempt       BIGINT NOT NULL DEFAULT 1,
  started_us    BIGINT NOT NULL,
  took_us       BIGINT NOT NULL,
  outcome       TEXT NOT NULL,
  reason        TEXT,
  say           TEXT NOT NULL,
  resolve_us    BIGINT,
  connect_us    BIGINT,
  tls_us        BIGINT,
  wait_us       BIGINT,
  transfer_us   BIGINT,
  status        BIGINT,
  cert_not_after_us BIGINT,
  UNIQUE (monitor_id, scheduled_us, attempt)
);
CREATE INDEX results_by_time ON results (scheduled_us);

-- Kept evidence: of the first failing attempt, of the last good check, of the audit behind an incident.
CREATE TABLE captures (
  id           TEXT PRIMARY KEY,
  org_id       TEXT NOT NULL,
  monitor_id   TEXT,
  incident_id  TEXT,
  kind         TEXT NOT NULL,
  at_us        BIGINT NOT NULL,
  body         TEXT NOT NULL
);
CREATE INDEX captures_by_incident ON captures (incident_id, kind);
CREATE INDEX captures_by_monitor ON captures (monitor_id, at_us);

CREATE TABLE incidents (
  id            TEXT PRIMARY KEY,
  org_id        TEXT NOT NULL REFERENCES orgs(id),
  -- confirming (down, being diagnosed), open, resolved.
  status        TEXT NOT NULL,
  severity      TEXT NOT NULL DEFAULT 'high',
  title         TEXT NOT NULL,
  -- What joins several monitors: the host at first, the cause once it is known.
  scope         TEXT NOT NULL,
  cause_id      TEXT,
  cause_title   TEXT,
  cause_label   TEXT,
  confidence    DOUBLE PRECISION,
  -- diagnosing, known, unknown, or the reason why there is none.
  diagnosis     TEXT NOT NULL DEFAULT 'diagnosing',
  -- What the diagnosis says for people: cause with proof, rivals, actions, as JSON.
  advice        TEXT,
  report_id     TEXT,
  difference    TEXT,
  began_us      BIGINT NOT NULL,
  confirmed_us  BIGINT NOT NULL,
  alert_due_us  BIGINT,
  alerted_us    BIGINT,
  reminded_us   BIGINT,
  acked_us      BIGINT,
  acked_by      TEXT,
  resolved_us   BIGINT,
  version       BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX incidents_by_org ON incidents (org_id, id);
-- One open incident a scope, whoever opens it.
CREATE UNIQUE INDEX incidents_open ON incidents (org_id, scope) WHERE resolved_us IS NULL;
CREATE INDEX incidents_unalerted ON incidents (alert_due_us) WHERE alerted_us IS NULL AND resolved_us IS NULL;

CREATE TABLE incident_monitors (
  incident_id  TEXT NOT NULL REFERENCES incidents(id),
  monitor_id   TEXT NOT NULL,
  org_id       TEXT NOT NULL,
  joined_us    BIGINT NOT NULL,
  left_us      BIGINT,
  PRIMARY KEY (incident_id, monitor_id)
);
CREATE INDEX incident_monitors_by_monitor ON incident_monitors (monitor_id, joined_us);

CREATE TABLE incident_events (
  id           TEXT PRIMARY KEY,
  incident_id  TEXT NOT NULL REFERENCES incidents(id),
  org_id       TEXT NOT NULL,
  at_us        BIGINT NOT NULL,
  kind         TEXT NOT NULL,
  actor        TEXT,
  say          TEXT NOT NULL
);
CREATE INDEX incident_events_by_incident ON incident_events (incident_id, at_us, id);

-- Audits: the report and the evidence that it was made from.
CREATE TABLE reports (
  id           TEXT PRIMARY KEY,
  org_id       TEXT NOT NULL REFERENCES orgs(id),
  monitor_id   TEXT,
  incident_id  TEXT,
  -- queued, running, done, failed
  status       TEXT NOT NULL,
  target       TEXT NOT NULL,
  requested_by TEXT NOT NULL,
  created_us   BIGINT NOT NULL,
  started_us   BIGINT,
  ended_us     BIGINT,
  verdict      TEXT,
  summary      TEXT,
  cause_id     TEXT,
  report       TEXT,
  evidence     TEXT,
  problem      TEXT
);
CREATE INDEX reports_by_org ON reports (org_id, id);

CREATE TABLE windows (
  id           TEXT PRIMARY KEY,
  org_id       TEXT NOT NULL REFERENCES orgs(id),
  external_id  TEXT NOT NULL,
  name         TEXT NOT NULL,
  spec         TEXT NOT NULL,
  origin       TEXT NOT NULL DEFAULT 'api',
  created_us   BIGINT NOT NULL,
  updated_us   BIGINT NOT NULL,
  UNIQUE (org_id, external_id)
);

CREATE TABLE channels (
  id           TEXT PRIMARY KEY,
  org_id       TEXT NOT NULL REFERENCES orgs(id),
  external_id  TEXT NOT NULL,
  name         TEXT NOT NULL,
  kind         TEXT NOT NULL,
  -- May hold secrets: never leaves the store but to the channel itself.
  config       TEXT NOT NULL,
  enabled      BIGINT NOT NULL DEFAULT 1,
  origin       TEXT NOT NULL DEFAULT 'api',
  created_us   BIGINT NOT NULL,
  updated_us   BIGINT NOT NULL,
  UNIQUE (org_id, external_id)
);

CREATE TABLE outbox (
  id             TEXT PRIMARY KEY,
  org_id         TEXT NOT NULL,
  -- NULL: a message of the server itself (invitation, digest by mail) that names its recipient in the payload.
  channel_id     TEXT,
  -- The idempotency key: what, which transition, which channel. Written once, whoever writes.
  key            TEXT NOT NULL UNIQUE,
  -- Messages of one subject to one channel leave in the order of `seq`: down before up.
  subject        TEXT NOT NULL,
  seq            BIGINT NOT NULL,
  payload        TEXT NOT NULL,
  -- pending, delivered, dead
  state          TEXT NOT NULL DEFAULT 'pending',
  attempts       BIGINT NOT NULL DEFAULT 0,
  created_us     BIGINT NOT NULL,
  next_us        BIGINT NOT NULL,
  give_up_us     BIGINT NOT NULL,
  lease_owner    TEXT,
  lease_until_us BIGINT,
  delivered_us   BIGINT,
  last_error     TEXT
);
CREATE INDEX outbox_due ON outbox (next_us) WHERE state = 'pending';
CREATE INDEX outbox_by_subject ON outbox (subject, channel_id, seq);
CREATE INDEX outbox_by_org ON outbox (org_id, id);

-- Every attempt, kept: proof of delivery, or of why not.
CREATE TABLE deliveries (
  id         TEXT PRIMARY KEY,
  outbox_id  TEXT NOT NULL,
  org_id     TEXT NOT NULL,
  channel_id TEXT,
  at_us      BIGINT NOT NULL,
  took_us    BIGINT NOT NULL,
  -- delivered, retry, refused
  outcome    TEXT NOT NULL,
  status     BIGINT,
  say        TEXT NOT NULL
);
CREATE INDEX deliveries_by_outbox ON deliveries (outbox_id, at_us);
CREATE INDEX deliveries_by_org ON deliveries (org_id, id);

-- Who may do what alone: shards of the schedule, the leader of the jobs. A lease that is not renewed passes on.
CREATE TABLE leases (
  name      TEXT PRIMARY KEY,
  owner     TEXT NOT NULL,
  until_us  BIGINT NOT NULL
);

CREATE TABLE servers (
  id        TEXT PRIMARY KEY,
  seen_us   BIGINT NOT NULL
);

-- Sums over results, by minute, hour and day.
CREATE TABLE rollups (
  monitor_id    TEXT NOT NULL,
  org_id        TEXT NOT NULL,
  grain         TEXT NOT NULL,
  bucket_us     BIGINT NOT NULL,
  up            BIGINT NOT NULL DEFAULT 0,
  degraded      BIGINT NOT NULL DEFAULT 0,
  down          BIGINT NOT NULL DEFAULT 0,
  inconclusive  BIGINT NOT NULL DEFAULT 0,
  maintenance   BIGINT NOT NULL DEFAULT 0,
  missed        BIGINT NOT NULL DEFAULT 0,
  took_sum_us   BIGINT NOT NULL DEFAULT 0,
  took_count    BIGINT NOT NULL DEFAULT 0,
  took_max_us   BIGINT NOT NULL DEFAULT 0,
  PRIMARY KEY (monitor_id, grain, bucket_us)
);
CREATE INDEX rollups_by_org ON rollups (org_id, grain, bucket_us);
