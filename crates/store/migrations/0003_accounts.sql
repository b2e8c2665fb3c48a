-- People, their organisations, sessions, API keys, and who changed what. Times are microseconds since the Unix epoch.
-- Tokens are random 256-bit values of which only the SHA-256 is kept: the file alone opens no door.

CREATE TABLE users (
  id            TEXT PRIMARY KEY,
  -- In lower case.
  email         TEXT NOT NULL UNIQUE,
  name          TEXT NOT NULL,
  -- A PHC string (argon2id).
  password      TEXT NOT NULL,
  created_us    BIGINT NOT NULL,
  password_us   BIGINT NOT NULL
);

CREATE TABLE members (
  org_id      TEXT NOT NULL REFERENCES orgs(id),
  user_id     TEXT NOT NULL REFERENCES users(id),
  -- reader, editor, admin, owner
  role        TEXT NOT NULL,
  created_us  BIGINT NOT NULL,
  PRIMARY KEY (org_id, user_id)
);
CREATE INDEX members_by_user ON members (user_id, org_id);

CREATE TABLE invitations (
  id           TEXT PRIMARY KEY,
  org_id       TEXT NOT NULL REFERENCES orgs(id),
  token_hash   TEXT NOT NULL UNIQUE,
  -- Whom it is meant for, as a note; whoever has the link may use it.
  email        TEXT,
  role         TEXT NOT NULL,
  invited_by   TEXT NOT NULL,
  created_us   BIGINT NOT NULL,
  expires_us   BIGINT NOT NULL,
  accepted_us  BIGINT
);
CREATE INDEX invitations_by_org ON invitations (org_id, id);

CREATE TABLE sessions (
  id          TEXT PRIMARY KEY,
  token_hash  TEXT NOT NULL UNIQUE,
  user_id     TEXT NOT NULL REFERENCES users(id),
  -- The organisation that the person looks at; the membership is asked for at every request.
  org_id      TEXT NOT NULL REFERENCES orgs(id),
  created_us  BIGINT NOT NULL,
  seen_us     BIGINT NOT NULL,
  expires_us  BIGINT NOT NULL,
  address     TEXT,
  agent       TEXT
);
CREATE INDEX sessions_by_user ON sessions (user_id, id);
CREATE INDEX sessions_by_end ON sessions (expires_us);

CREATE TABLE api_keys (
  id            TEXT PRIMARY KEY,
  org_id        TEXT NOT NULL REFERENCES orgs(id),
  name          TEXT NOT NULL,
  -- What may be shown, so that a key in a log can be told apart.
  prefix        TEXT NOT NULL,
  secret_hash   TEXT NOT NULL UNIQUE,
  scopes        TEXT NOT NULL,
  created_by    TEXT NOT NULL,
  created_us    BIGINT NOT NULL,
  expires_us    BIGINT,
  last_used_us  BIGINT,
  revoked_us    BIGINT,
  -- The key that took over, once it was rotated.
  successor_id  TEXT
);
CREATE INDEX api_keys_by_org ON api_keys (org_id, id);

CREATE TABLE audit_log (
  id          TEXT PRIMARY KEY,
  org_id      TEXT NOT NULL,
  at_us       BIGINT NOT NULL,
  actor       TEXT NOT NULL,
  -- created, changed, deleted, paused, …
  action      TEXT NOT NULL,
  -- monitor, channel, member, …
  kind        TEXT NOT NULL,
  object_id   TEXT,
  say         TEXT NOT NULL
);
CREATE INDEX audit_log_by_org ON audit_log (org_id, id);

-- Failed guesses, by a hash of the account's name or of the client's address: shared by all servers.
CREATE TABLE guesses (
  key         TEXT PRIMARY KEY,
  failures    BIGINT NOT NULL,
  last_us     BIGINT NOT NULL,
  blocked_us  BIGINT NOT NULL
);

-- The one link that makes the first account.
CREATE TABLE first_run (
  token_hash  TEXT PRIMARY KEY,
  created_us  BIGINT NOT NULL,
  used_us     BIGINT
);
