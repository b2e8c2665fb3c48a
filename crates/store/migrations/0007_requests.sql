-- Checks that somebody asked for between two ticks. At most one waits for a monitor; the server that holds the monitor's
-- part of the schedule takes it.
CREATE TABLE check_requests (
  monitor_id TEXT PRIMARY KEY REFERENCES monitors(id),
  org_id     TEXT NOT NULL REFERENCES orgs(id),
  asked_us   BIGINT NOT NULL
);

-- The IANA zone in which the times of an announcement were said, and in which they are shown beside UTC.
ALTER TABLE status_posts ADD COLUMN zone TEXT NOT NULL DEFAULT 'UTC';

-- A scope is for people to read, and the id of a heartbeat is the secret of its ping URL.
UPDATE incidents SET scope = 'heartbeat' WHERE scope LIKE 'heartbeat:%';
