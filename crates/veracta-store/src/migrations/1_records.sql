CREATE TABLE entries (
    idx   BIGINT PRIMARY KEY,
    entry BYTEA NOT NULL
);
CREATE TABLE records (
    idx      BIGINT PRIMARY KEY,
    kind     TEXT NOT NULL,
    subject  TEXT NOT NULL,
    step_key BYTEA,
    body     BYTEA NOT NULL
);
CREATE INDEX records_by_kind ON records (kind, subject, idx);
CREATE INDEX records_by_step ON records (step_key) WHERE step_key IS NOT NULL;
CREATE TABLE actors (
    handle TEXT PRIMARY KEY,
    name   TEXT NOT NULL UNIQUE
);
