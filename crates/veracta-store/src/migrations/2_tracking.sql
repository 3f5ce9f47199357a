CREATE TABLE experiments (
    experiment_id     BIGINT PRIMARY KEY,
    name              TEXT NOT NULL UNIQUE,
    artifact_location TEXT NOT NULL,
    stage             TEXT NOT NULL,
    created_ms        BIGINT NOT NULL,
    updated_ms        BIGINT NOT NULL
);
CREATE TABLE experiment_tags (
    experiment_id BIGINT NOT NULL,
    name          TEXT NOT NULL,
    value         TEXT NOT NULL,
    PRIMARY KEY (experiment_id, name)
) WITHOUT ROWID;

CREATE TABLE runs (
    run_no        BIGINT PRIMARY KEY,
    run_id        TEXT NOT NULL UNIQUE,
    experiment_id BIGINT NOT NULL,
    name          TEXT NOT NULL,
    user_id       TEXT NOT NULL,
    status        TEXT NOT NULL,
    start_ms      BIGINT NOT NULL,
    end_ms        BIGINT,
    stage         TEXT NOT NULL,
    artifact_uri  TEXT NOT NULL,
    record_idx    BIGINT
);
CREATE INDEX runs_by_start ON runs (experiment_id, start_ms DESC, run_id);
CREATE TABLE params (
    run_no BIGINT NOT NULL,
    name   TEXT NOT NULL,
    value  TEXT NOT NULL,
    PRIMARY KEY (run_no, name)
) WITHOUT ROWID;
CREATE INDEX params_by_value ON params (name, SUBSTR(value, 1, 100), run_no);
CREATE TABLE tags (
    run_no BIGINT NOT NULL,
    name   TEXT NOT NULL,
    value  TEXT NOT NULL,
    PRIMARY KEY (run_no, name)
) WITHOUT ROWID;
CREATE INDEX tags_by_value ON tags (name, SUBSTR(value, 1, 100), run_no);
CREATE TABLE metric_keys (
    key_no BIGINT PRIMARY KEY,
    name   TEXT NOT NULL UNIQUE
);
CREATE TABLE metrics (
    run_no       BIGINT NOT NULL,
    key_no       BIGINT NOT NULL,
    timestamp_ms BIGINT NOT NULL,
    step         BIGINT NOT NULL,
    value        DOUBLE PRECISION NOT NULL,
    is_nan       BIGINT NOT NULL,
    PRIMARY KEY (run_no, key_no, timestamp_ms, step, value, is_nan)
) WITHOUT ROWID;
CREATE TABLE latest_metrics (
    run_no       BIGINT NOT NULL,
    key_no       BIGINT NOT NULL,
    timestamp_ms BIGINT NOT NULL,
    step         BIGINT NOT NULL,
    value        DOUBLE PRECISION NOT NULL,
    is_nan       BIGINT NOT NULL,
    PRIMARY KEY (run_no, key_no)
) WITHOUT ROWID;
CREATE INDEX latest_metrics_by_value ON latest_metrics (key_no, is_nan, value, run_no);

CREATE TABLE datasets (
    dataset_no    BIGINT PRIMARY KEY,
    experiment_id BIGINT NOT NULL,
    name          TEXT NOT NULL,
    digest        TEXT NOT NULL,
    source_type   TEXT NOT NULL,
    source        TEXT NOT NULL,
    schema        TEXT,
    profile       TEXT,
    UNIQUE (experiment_id, name, digest)
);
CREATE TABLE run_inputs (
    run_no     BIGINT NOT NULL,
    dataset_no BIGINT NOT NULL,
    PRIMARY KEY (run_no, dataset_no)
) WITHOUT ROWID;
CREATE TABLE run_input_tags (
    run_no     BIGINT NOT NULL,
    dataset_no BIGINT NOT NULL,
    name       TEXT NOT NULL,
    value      TEXT NOT NULL,
    PRIMARY KEY (run_no, dataset_no, name)
) WITHOUT ROWID;
CREATE TABLE run_models (
    run_no    BIGINT NOT NULL,
    direction TEXT NOT NULL,
    model_id  TEXT NOT NULL,
    step      BIGINT NOT NULL,
    PRIMARY KEY (run_no, direction, model_id)
) WITHOUT ROWID;

CREATE TABLE logged_models (
    model_id          TEXT PRIMARY KEY,
    experiment_id     BIGINT NOT NULL,
    name              TEXT NOT NULL,
    artifact_location TEXT NOT NULL,
    created_ms        BIGINT NOT NULL,
    updated_ms        BIGINT NOT NULL,
    status            TEXT NOT NULL,
    model_type        TEXT,
    source_run_id     TEXT,
    stage             TEXT NOT NULL
);
CREATE INDEX logged_models_by_experiment ON logged_models (experiment_id, created_ms);
CREATE TABLE logged_model_tags (
    model_id TEXT NOT NULL,
    name     TEXT NOT NULL,
    value    TEXT NOT NULL,
    PRIMARY KEY (model_id, name)
) WITHOUT ROWID;
CREATE TABLE logged_model_params (
    model_id TEXT NOT NULL,
    name     TEXT NOT NULL,
    value    TEXT NOT NULL,
    PRIMARY KEY (model_id, name)
) WITHOUT ROWID;
CREATE TABLE logged_model_metrics (
    model_id       TEXT NOT NULL,
    run_id         TEXT NOT NULL,
    name           TEXT NOT NULL,
    timestamp_ms   BIGINT NOT NULL,
    step           BIGINT NOT NULL,
    value          DOUBLE PRECISION NOT NULL,
    is_nan         BIGINT NOT NULL,
    dataset_name   TEXT NOT NULL,
    dataset_digest TEXT NOT NULL,
    PRIMARY KEY (model_id, name, dataset_name, dataset_digest, run_id)
) WITHOUT ROWID;

CREATE TABLE registered_models (
    name         TEXT PRIMARY KEY,
    description  TEXT NOT NULL,
    created_ms   BIGINT NOT NULL,
    updated_ms   BIGINT NOT NULL,
    last_version BIGINT NOT NULL
);
CREATE TABLE registered_model_tags (
    model TEXT NOT NULL,
    name  TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (model, name)
) WITHOUT ROWID;
CREATE TABLE registered_model_aliases (
    model   TEXT NOT NULL,
    alias   TEXT NOT NULL,
    version BIGINT NOT NULL,
    PRIMARY KEY (model, alias)
) WITHOUT ROWID;
CREATE TABLE model_versions (
    model            TEXT NOT NULL,
    version          BIGINT NOT NULL,
    description      TEXT NOT NULL,
    created_ms       BIGINT NOT NULL,
    updated_ms       BIGINT NOT NULL,
    user_id          TEXT NOT NULL,
    stage            TEXT NOT NULL,
    source           TEXT NOT NULL,
    storage_location TEXT NOT NULL,
    run_id           TEXT NOT NULL,
    run_link         TEXT NOT NULL,
    model_id         TEXT,
    PRIMARY KEY (model, version)
) WITHOUT ROWID;
CREATE INDEX model_versions_by_run ON model_versions (run_id);
CREATE INDEX model_versions_by_source ON model_versions (storage_location);
CREATE TABLE model_version_tags (
    model   TEXT NOT NULL,
    version BIGINT NOT NULL,
    name    TEXT NOT NULL,
    value   TEXT NOT NULL,
    PRIMARY KEY (model, version, name)
) WITHOUT ROWID;

CREATE TABLE artifacts (
    path       TEXT PRIMARY KEY,
    digest     BYTEA NOT NULL,
    bytes      BIGINT NOT NULL,
    updated_ms BIGINT NOT NULL
);

CREATE TABLE signer (
    only_row BIGINT PRIMARY KEY,
    size     BIGINT NOT NULL,
    root     BYTEA NOT NULL
);
