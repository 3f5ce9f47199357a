//! Records small enough to write many of them.

use veracta_governance::record::{Attestation, Record};
use veracta_store::{InitOptions, NewRecord};

/// Returns how the workspaces of these tests begin.
pub(crate) fn options() -> InitOptions {
    InitOptions {
        origin: None,
        actor: "tester".to_owned(),
        at: at(0),
        program: "veracta-store tests".to_owned(),
    }
}

/// Returns a record that says `text`; its body depends on nothing else.
pub(crate) fn statement(subject: &str, text: &str) -> NewRecord {
    let body = Attestation {
        topic: "test".to_owned(),
        statement: text.to_owned(),
        signer: None,
        valid_until: None,
        file_digest: None,
        plan: None,
    };
    let record = Record::Attestation(body);
    NewRecord {
        record,
        subject: subject.to_owned(),
        key: None,
        links: Vec::new(),
        artifacts: Vec::new(),
    }
}

/// Returns the time so many milliseconds after the beginning of the workspace.
pub(crate) fn at(n_ms: usize) -> String {
    let (n_seconds, ms) = (n_ms / 1000, n_ms % 1000);
    format!(
        "2026-01-01T{:02}:{:02}:{:02}.{ms:03}Z",
        n_seconds / 3600,
        n_seconds / 60 % 60,
        n_seconds % 60
    )
}
