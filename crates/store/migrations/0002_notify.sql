-- 0002_notify: what the outbox worker remembers beside the letters themselves.

-- Recipients of a letter that are done with (reached or refused for good), as JSON: a letter to several people
-- that is tried again goes to the others alone. A fourth word of `outbox.state` is `skipped`: not sent, and on purpose.
ALTER TABLE outbox ADD COLUMN progress TEXT;
-- What happened, in one word; and the storm that a letter is told in, together with all others of the same bundle.
ALTER TABLE outbox ADD COLUMN event TEXT NOT NULL DEFAULT '';
ALTER TABLE outbox ADD COLUMN bundle TEXT;
CREATE INDEX outbox_by_event ON outbox (channel_id, event, created_us);

-- How a channel is doing, and when it may be used again (its rate, or what the receiver asked for).
CREATE TABLE channel_states (
  channel_id        TEXT PRIMARY KEY,
  org_id            TEXT NOT NULL,
  next_us           BIGINT NOT NULL DEFAULT 0,
  last_delivered_us BIGINT,
  last_error        TEXT,
  last_error_us     BIGINT
);

CREATE INDEX outbox_due_by_channel ON outbox (channel_id, next_us) WHERE state = 'pending';
CREATE INDEX outbox_by_state ON outbox (org_id, state, id);
CREATE INDEX deliveries_by_channel ON deliveries (channel_id, id);
