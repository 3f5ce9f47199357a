//! Proves that an evidence bundle holds as written and in no other form: not with a byte changed, not re-signed, not rolled
//! back, and not when the log's own operator seals something else than the log.

mod damage;
mod operator;
mod sample;
mod stricter;
mod trust;
