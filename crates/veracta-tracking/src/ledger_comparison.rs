//! Whether the tables are what the ledger says of them: what each thing would be recorded as now, against its latest record.
//!
//! It does not check the records themselves, which the check of the ledger does.

use veracta_governance::record::{AccessLog, Record, TrackedRun};
use veracta_store::tracking::{DELETED_VERSION, Run, RunStatus, Stage};
use veracta_store::{Store, View};

use super::TrackingError;
use super::evidence::{
    Event, of_experiment, of_model_version, of_registered_model, subject_of_version, tracked_run,
};
use crate::access;

/// Something in the tables that is not what the ledger says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discrepancy {
    /// Subject of the ledger's records about it, such as `run:…`.
    pub subject: String,
    /// What differs from the record, in words.
    pub message: String,
}

/// Compares the tables of the tracking server with the latest records about what is in them; returns how many things were
/// compared, and every discrepancy.
///
/// Runs that have not ended are not evidence yet and are not compared.
pub fn compare_with_ledger(store: &Store) -> Result<(u64, Vec<Discrepancy>), TrackingError> {
    let reading = store.reading()?;
    let view = reading.view();
    let mut comparison = Comparison {
        store,
        n_compared: 0,
        found: Vec::new(),
    };
    comparison.rows_of_runs(view)?;
    comparison.records_of_runs(view)?;
    comparison.experiments(view)?;
    comparison.registered_models(view)?;
    comparison.model_versions(view)?;
    comparison.grants(view)?;
    comparison.unrecorded(view)?;
    Ok((comparison.n_compared, comparison.found))
}

/// Events after which a registered model or version is not there under its name.
const LEAVING: [&str; 2] = ["deleted", "renamed"];

fn is_ended(body: &TrackedRun) -> bool {
    RunStatus::of(&body.status).is_some_and(RunStatus::is_ended)
}

/// What the tables say of the thing a record is about.
enum Now {
    /// The record says nothing that the tables should.
    NotCompared,
    /// The tables have no such thing.
    Gone,
    /// The record that the thing would have at present.
    There(Box<Record>),
}

impl Now {
    fn of(record: Option<Record>) -> Self {
        record.map_or(Self::Gone, |record| Self::There(Box::new(record)))
    }
}

/// Says what the tables say of the thing a record is about.
type Look<'l> = dyn FnMut(&Record) -> Result<Now, TrackingError> + 'l;

/// A comparison of tables with records, and what it found so far.
struct Comparison<'s> {
    store: &'s Store,
    n_compared: u64,
    found: Vec<Discrepancy>,
}

impl Comparison<'_> {
    /// Compares the row of each recorded run with the record that the row names.
    fn rows_of_runs(&mut self, view: View<'_>) -> Result<(), TrackingError> {
        view.visit_recorded_runs(&mut |run| {
            self.n_compared += 1;
            if let Some(message) = discrepancy_of_run(self.store, view, &run) {
                self.found.push(Discrepancy {
                    subject: run.subject(),
                    message,
                });
            }
            Ok(())
        })?;
        Ok(())
    }

    /// Compares the latest record of each ended run with the row: it must still be there and name a record.
    fn records_of_runs(&mut self, view: View<'_>) -> Result<(), TrackingError> {
        self.each("run", &mut |record| match record {
            // The row says which record it stands for; what it holds was compared above.
            Record::TrackedRun(body) if is_ended(body) => {
                let run = view
                    .run(&body.run_id)?
                    .filter(|run| run.record_idx.is_some());
                Ok(Now::of(run.map(|_| record.clone())))
            }
            _ => Ok(Now::NotCompared),
        })
    }

    /// Compares experiments with their latest records.
    fn experiments(&mut self, view: View<'_>) -> Result<(), TrackingError> {
        self.each("experiment", &mut |record| {
            let Record::Experiment(body) = record else {
                return Ok(Now::NotCompared);
            };
            let now = view.experiment(body.experiment_id)?;
            Ok(Now::of(now.map(|now| {
                of_experiment(&now, body.n_runs, event_of(&body.event, &body.reason)).record
            })))
        })
    }

    /// Compares registered models with their latest records.
    fn registered_models(&mut self, view: View<'_>) -> Result<(), TrackingError> {
        self.each("registry.model", &mut |record| match record {
            Record::RegistryModel(body) if !LEAVING.contains(&body.event.as_str()) => {
                let event = event_of(&body.event, &body.reason);
                let now = view.registered_model(&body.name)?;
                Ok(Now::of(now.map(|now| {
                    of_registered_model(&now, body.previous_name.as_deref(), event).record
                })))
            }
            _ => Ok(Now::NotCompared),
        })
    }

    /// Compares versions of registered models with their latest records.
    fn model_versions(&mut self, view: View<'_>) -> Result<(), TrackingError> {
        self.each("registry.version", &mut |record| match record {
            Record::RegistryVersion(body)
                if !LEAVING.contains(&body.event.as_str()) && body.stage != DELETED_VERSION =>
            {
                let event = event_of(&body.event, &body.reason);
                let now = view.model_version(&body.model, body.version)?;
                Ok(Now::of(
                    now.map(|now| of_model_version(view, &now, event))
                        .transpose()?
                        .map(|new| new.record),
                ))
            }
            _ => Ok(Now::NotCompared),
        })
    }

    /// Compares users and tokens with the latest records of what they were granted.
    fn grants(&mut self, view: View<'_>) -> Result<(), TrackingError> {
        self.each("access.log", &mut |record| match record {
            Record::AccessLog(body) if body.grant.is_some() => {
                let now = access::grant_now(view, body)?;
                Ok(Now::of(now.map(|grant| {
                    Record::AccessLog(AccessLog {
                        grant: Some(grant),
                        ..body.clone()
                    })
                })))
            }
            _ => Ok(Now::NotCompared),
        })
    }

    /// Reports what is in the tables and no record tells of.
    fn unrecorded(&mut self, view: View<'_>) -> Result<(), TrackingError> {
        let mut subjects = Vec::new();
        let users = view
            .users()?
            .into_iter()
            .map(|(user, _)| ("access.log", format!("user:{}", user.handle)));
        subjects.extend(users);
        subjects.extend(
            view.tokens()?
                .into_iter()
                .map(|token| ("access.log", format!("token:{}", token.id))),
        );
        subjects.extend(
            view.experiment_ids()?
                .into_iter()
                .map(|id| ("experiment", format!("experiment:{id}"))),
        );
        for (name, versions) in view.registered_names()? {
            subjects.extend(
                versions
                    .into_iter()
                    .map(|version| ("registry.version", subject_of_version(&name, version))),
            );
            subjects.push(("registry.model", format!("registry:{name}")));
        }
        let mut found = view.ended_without_record()?;
        for (kind, subject) in subjects {
            if view.positions_about(kind, &subject)?.is_empty() {
                found.push(subject);
            }
        }
        let message =
            "it is there, and no record says so: it was put there behind the program's back";
        self.found
            .extend(found.into_iter().map(|subject| Discrepancy {
                subject,
                message: message.to_owned(),
            }));
        Ok(())
    }

    /// Compares the latest record of each subject of a kind with the tables.
    fn each(&mut self, kind: &str, look: &mut Look<'_>) -> Result<(), TrackingError> {
        let mut latest = Vec::new();
        self.store
            .reading()?
            .view()
            .visit_latest(kind, &mut |subject, idx| {
                latest.push((subject, idx));
                Ok(())
            })?;
        for (subject, idx) in latest {
            // What is wrong with the record itself is told by the check of the ledger.
            let Ok(evidence) = self.store.evidence(idx) else {
                continue;
            };
            let message = match look(&evidence.record)? {
                Now::NotCompared => continue,
                Now::There(now) if *now == evidence.record => None,
                Now::There(_) => Some(format!(
                    "it is not what record #{idx} says: it was changed behind the program's back"
                )),
                Now::Gone => Some(format!(
                    "it is gone, and record #{idx} says that it is there"
                )),
            };
            // Finished runs were counted by their rows.
            self.n_compared += u64::from(kind != "run");
            self.found
                .extend(message.map(|message| Discrepancy { subject, message }));
        }
        Ok(())
    }
}

fn event_of<'e>(event: &'e str, reason: &'e Option<String>) -> Event<'e> {
    Event {
        event,
        reason: reason.as_deref(),
    }
}

fn discrepancy_of_run(store: &Store, view: View<'_>, run: &Run) -> Option<String> {
    let idx = run.record_idx?;
    let Ok(evidence) = store.evidence(idx) else {
        return Some(format!("its record #{idx} is gone"));
    };
    let Record::TrackedRun(body) = &evidence.record else {
        return Some(format!("record #{idx} is not about a run"));
    };
    if body.run_id != run.id {
        return Some(format!("record #{idx} is about another run"));
    }
    // Deleting an experiment deletes its runs without a record of each.
    let stage = if body.stage == "deleted" {
        Stage::Deleted
    } else {
        Stage::Active
    };
    let as_recorded = Run {
        stage,
        ..run.clone()
    };
    match tracked_run(
        view,
        &as_recorded,
        body.salt,
        event_of(&body.event, &body.reason),
    ) {
        Ok(now) if now == *body => None,
        Ok(_) => Some(format!(
            "its values are not what record #{idx} says: they were changed behind the program's back"
        )),
        Err(error) => Some(format!("its values cannot be read: {error}")),
    }
}
