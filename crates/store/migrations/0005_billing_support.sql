-- Billing (what Stripe said and what became of it), support (conversations, tickets, bots), and the proof that the
-- database takes writes.

-- One row. Whoever changes billing counts it up first, so that such transactions take turns on PostgreSQL too.
CREATE TABLE billing_gate (
  id     BIGINT PRIMARY KEY,
  turns  BIGINT NOT NULL
);
INSERT INTO billing_gate (id, turns) VALUES (1, 0);

-- Every event that was signed, stored before anything is done about it.
CREATE TABLE billing_events (
  id           TEXT PRIMARY KEY,
  kind         TEXT NOT NULL,
  -- When Stripe made it: what order is judged by.
  created_us   BIGINT NOT NULL,
  received_us  BIGINT NOT NULL,
  livemode     BIGINT NOT NULL,
  customer_id  TEXT,
  org_id       TEXT,
  -- stored, applied, ignored, waiting, unassigned, unreadable
  outcome      TEXT NOT NULL,
  say          TEXT NOT NULL,
  body         TEXT NOT NULL
);
CREATE INDEX billing_events_by_time ON billing_events (received_us);
CREATE INDEX billing_events_open ON billing_events (customer_id, created_us) WHERE outcome = 'unassigned';

CREATE TABLE billing_customers (
  id          TEXT PRIMARY KEY,
  org_id      TEXT NOT NULL REFERENCES orgs(id),
  email       TEXT,
  linked_us   BIGINT NOT NULL
);
CREATE INDEX billing_customers_by_org ON billing_customers (org_id, linked_us);

-- Checkouts that we started. The id is the idempotency key towards Stripe and comes back in the metadata.
CREATE TABLE billing_checkouts (
  id            TEXT PRIMARY KEY,
  org_id        TEXT NOT NULL REFERENCES orgs(id),
  plan          TEXT NOT NULL,
  session_id    TEXT,
  url           TEXT,
  started_by    TEXT NOT NULL,
  -- open, waiting (done, not paid yet), fulfilled, failed, expired
  state         TEXT NOT NULL,
  created_us    BIGINT NOT NULL,
  updated_us    BIGINT NOT NULL
);
CREATE INDEX billing_checkouts_by_org ON billing_checkouts (org_id, plan, created_us);

CREATE TABLE billing_subscriptions (
  id            TEXT PRIMARY KEY,
  org_id        TEXT NOT NULL REFERENCES orgs(id),
  customer_id   TEXT,
  plan          TEXT NOT NULL,
  -- Stripe's word: incomplete, trialing, active, past_due, unpaid, canceled, paused, …
  status        TEXT NOT NULL,
  -- When something first said that it was paid for; without that it counts for nothing.
  paid_us       BIGINT,
  -- When it was set aside because nobody paid.
  suspended_us  BIGINT,
  -- The newest event about its state that was applied, and that event's rank within its second.
  known_us      BIGINT NOT NULL DEFAULT 0,
  known_rank    BIGINT NOT NULL DEFAULT 0,
  updated_us    BIGINT NOT NULL
);
CREATE INDEX billing_subscriptions_by_org ON billing_subscriptions (org_id);

CREATE TABLE billing_invoices (
  id               TEXT PRIMARY KEY,
  org_id           TEXT NOT NULL REFERENCES orgs(id),
  subscription_id  TEXT,
  email            TEXT,
  url              TEXT,
  -- failed, paid, void
  state            TEXT NOT NULL,
  failed_us        BIGINT,
  -- The last reminder that was written: 0, 1, 7 or 14 (days).
  sent             BIGINT NOT NULL DEFAULT 0,
  downgraded_us    BIGINT,
  updated_us       BIGINT NOT NULL
);
CREATE INDEX billing_invoices_open ON billing_invoices (failed_us) WHERE state = 'failed' AND downgraded_us IS NULL;

CREATE TABLE support_conversations (
  id           TEXT PRIMARY KEY,
  org_id       TEXT NOT NULL REFERENCES orgs(id),
  -- incident, report, or NULL when nothing was named.
  about_kind   TEXT,
  about_id     TEXT,
  opened_by    TEXT NOT NULL,
  messages     BIGINT NOT NULL DEFAULT 0,
  created_us   BIGINT NOT NULL,
  updated_us   BIGINT NOT NULL
);
CREATE INDEX support_conversations_by_org ON support_conversations (org_id, id);

CREATE TABLE support_messages (
  id               TEXT PRIMARY KEY,
  conversation_id  TEXT NOT NULL REFERENCES support_conversations(id),
  org_id           TEXT NOT NULL,
  at_us            BIGINT NOT NULL,
  -- person, rules, model
  who              TEXT NOT NULL,
  body             TEXT NOT NULL
);
CREATE INDEX support_messages_by_conversation ON support_messages (conversation_id, id);

CREATE TABLE support_tickets (
  id               TEXT PRIMARY KEY,
  org_id           TEXT NOT NULL REFERENCES orgs(id),
  conversation_id  TEXT,
  about_kind       TEXT,
  about_id         TEXT,
  opened_by        TEXT NOT NULL,
  email            TEXT,
  message          TEXT NOT NULL,
  -- open, closed
  state            TEXT NOT NULL DEFAULT 'open',
  created_us       BIGINT NOT NULL,
  updated_us       BIGINT NOT NULL
);
CREATE INDEX support_tickets_by_org ON support_tickets (org_id, id);

-- Chats that somebody linked to an organisation with a code. Only these are answered with data.
CREATE TABLE bot_links (
  provider    TEXT NOT NULL,
  chat_id     TEXT NOT NULL,
  org_id      TEXT NOT NULL REFERENCES orgs(id),
  -- reader may ask; editor may also acknowledge and start audits.
  role        TEXT NOT NULL,
  linked_by   TEXT NOT NULL,
  linked_us   BIGINT NOT NULL,
  PRIMARY KEY (provider, chat_id)
);
CREATE INDEX bot_links_by_org ON bot_links (org_id);

-- One-time codes; only their hash is kept.
CREATE TABLE bot_codes (
  hash        TEXT PRIMARY KEY,
  org_id      TEXT NOT NULL REFERENCES orgs(id),
  role        TEXT NOT NULL,
  made_by     TEXT NOT NULL,
  created_us  BIGINT NOT NULL,
  expires_us  BIGINT NOT NULL,
  used_us     BIGINT
);

-- Updates that came in, once each, with the answer that is owed for them.
CREATE TABLE bot_updates (
  provider     TEXT NOT NULL,
  update_id    TEXT NOT NULL,
  chat_id      TEXT NOT NULL,
  at_us        BIGINT NOT NULL,
  -- answered, linked, wrong-code, stranger, ignored
  outcome      TEXT NOT NULL,
  reply        TEXT,
  -- pending, sent, dead; NULL when no answer is owed.
  reply_state  TEXT,
  attempts     BIGINT NOT NULL DEFAULT 0,
  next_us      BIGINT NOT NULL,
  last_error   TEXT,
  PRIMARY KEY (provider, update_id)
);
CREATE INDEX bot_updates_due ON bot_updates (next_us) WHERE reply_state = 'pending';
CREATE INDEX bot_updates_by_chat ON bot_updates (provider, chat_id, at_us);

-- Written by the health routes: a database that answers reads may still refuse writes.
CREATE TABLE health_writes (
  id     TEXT PRIMARY KEY,
  at_us  BIGINT NOT NULL
);
