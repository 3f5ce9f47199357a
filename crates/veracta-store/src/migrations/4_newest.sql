CREATE INDEX runs_newest ON runs (start_ms DESC, run_id);
