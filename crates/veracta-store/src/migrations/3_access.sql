CREATE TABLE users (
    handle     TEXT PRIMARY KEY,
    roles      TEXT NOT NULL,
    created_ms BIGINT NOT NULL
);
CREATE TABLE tokens (
    token_id   TEXT PRIMARY KEY,
    handle     TEXT NOT NULL,
    digest     BYTEA NOT NULL UNIQUE,
    roles      TEXT NOT NULL,
    factor     TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL,
    is_revoked BIGINT NOT NULL
);
CREATE INDEX tokens_by_handle ON tokens (handle);
CREATE TABLE webhooks (
    webhook_id  TEXT PRIMARY KEY,
    name        TEXT NOT NULL,
    description TEXT,
    url         TEXT NOT NULL,
    events      TEXT NOT NULL,
    status      TEXT NOT NULL,
    secret      BYTEA,
    created_ms  BIGINT NOT NULL,
    updated_ms  BIGINT NOT NULL,
    told_to     BIGINT NOT NULL
);
