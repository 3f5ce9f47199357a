//! Experiments: created, renamed, tagged, deleted and restored, each with a record.

use veracta_store::tracking::{Experiment, KeyValue, Stage};
use veracta_store::{Query, Selection, View, Viewed, Work};

use super::evidence::{Event, of_experiment};
use super::{PROXY_SCHEME, TrackingError, names, now_ms};
use veracta_store::Platform;

/// Most experiments of one answer.
const RESULTS_LIMIT: u64 = 50_000;

/// Makes the experiment that runs belong to when nobody says otherwise, unless it is there.
pub fn begin(platform: &Platform) -> Result<(), TrackingError> {
    if platform.store.reading()?.view().experiment(0)?.is_some() {
        return Ok(());
    }
    let now = now_ms(platform);
    platform
        .begin()
        .work(move |work| match work.view().experiment(0)? {
            Some(_) => Ok(()),
            None => add(work, named(0, "Default".to_owned(), None, Vec::new(), now)).map(|_| ()),
        })
}

fn named(
    id: i64,
    name: String,
    location: Option<String>,
    tags: Vec<KeyValue>,
    now: i64,
) -> Experiment {
    let artifact_location = location
        .filter(|location| !location.is_empty())
        .unwrap_or_else(|| format!("{PROXY_SCHEME}/{id}"));
    Experiment {
        id,
        name,
        artifact_location,
        stage: Stage::Active,
        created_ms: now,
        updated_ms: now,
        tags,
    }
}

fn add(work: &mut Work<'_>, new: Experiment) -> Result<i64, TrackingError> {
    work.commit(of_experiment(&new, 0, Event::new("created")))?
        .add_experiment(&new)?;
    Ok(new.id)
}

/// Makes an experiment and returns its number.
pub fn create(
    platform: &Platform,
    name: String,
    location: Option<String>,
    tags: Vec<KeyValue>,
) -> Result<i64, TrackingError> {
    names::check_experiment_name(&name)?;
    names::check_experiment_tags(&tags)?;
    location
        .iter()
        .try_for_each(|location| names::check_artifact_location(location))?;
    let now = now_ms(platform);
    platform.begin().work(move |work| {
        if work.view().experiment_named(&name)?.is_some() {
            return Err(TrackingError::exists(format!(
                "Experiment(name={name}) already exists."
            )));
        }
        let id = work.view().next_experiment_id()?;
        add(work, named(id, name, location, tags, now))
    })
}

fn find(view: View<'_>, id: i64) -> Result<Experiment, TrackingError> {
    view.experiment(id)?
        .ok_or_else(|| TrackingError::missing(format!("No Experiment with id={id} exists")))
}

/// Returns an experiment that was not deleted.
pub(super) fn find_active(view: View<'_>, id: i64) -> Result<Experiment, TrackingError> {
    let experiment = find(view, id)?;
    if experiment.stage == Stage::Deleted {
        return Err(TrackingError::invalid(format!(
            "The experiment {id} must be in the 'active' state. Current state is deleted."
        )));
    }
    Ok(experiment)
}

/// Returns an experiment, deleted or not.
pub fn get(platform: &Platform, id: i64) -> Result<Experiment, TrackingError> {
    find(platform.store.reading()?.view(), id)
}

/// Returns the experiment of that name, deleted or not.
pub fn get_by_name(platform: &Platform, name: &str) -> Result<Experiment, TrackingError> {
    let found = platform.store.reading()?.view().experiment_named(name)?;
    found.ok_or_else(|| {
        TrackingError::missing(format!("Could not find experiment with name '{name}'"))
    })
}

/// Gives an experiment another name.
pub fn rename(platform: &Platform, id: i64, new_name: String) -> Result<(), TrackingError> {
    names::check_experiment_name(&new_name)?;
    let now = now_ms(platform);
    platform.begin().work(move |work| {
        let mut experiment = find(work.view(), id)?;
        if experiment.stage == Stage::Deleted {
            let message = "Cannot rename a non-active experiment.".to_owned();
            return Err(TrackingError::Refused {
                refusal: super::Refusal::InvalidState,
                message,
            });
        }
        if work
            .view()
            .experiment_named(&new_name)?
            .is_some_and(|other| other.id != id)
        {
            return Err(TrackingError::exists(format!(
                "Experiment(name={new_name}) already exists."
            )));
        }
        if experiment.name == new_name {
            return Ok(());
        }
        (experiment.name, experiment.updated_ms) = (new_name, now);
        let n_runs = work.view().n_runs(id)?;
        Ok(work
            .commit(of_experiment(&experiment, n_runs, Event::new("renamed")))?
            .change_experiment(&experiment)?)
    })
}

/// Deletes an experiment with its runs, or restores them; both can be undone.
pub fn set_stage(
    platform: &Platform,
    id: i64,
    stage: Stage,
    reason: Option<String>,
) -> Result<(), TrackingError> {
    let now = now_ms(platform);
    platform.begin().work(move |work| {
        let mut experiment = find(work.view(), id)?;
        // The same request sent twice has been answered once already.
        if experiment.stage == stage {
            return Ok(());
        }
        (experiment.stage, experiment.updated_ms) = (stage, now);
        let event = if stage == Stage::Deleted {
            "deleted"
        } else {
            "restored"
        };
        let n_runs = work.view().n_runs(id)?;
        let event = Event {
            event,
            reason: reason.as_deref(),
        };
        let recorded = work.commit(of_experiment(&experiment, n_runs, event))?;
        recorded.change_experiment(&experiment)?;
        Ok(recorded.set_stage_of_runs(id, stage)?)
    })
}

/// Sets a tag of an experiment.
pub fn set_tag(platform: &Platform, id: i64, tag: KeyValue) -> Result<(), TrackingError> {
    names::check_experiment_tags(std::slice::from_ref(&tag))?;
    platform.begin().work(move |work| {
        let mut experiment = find_active(work.view(), id)?;
        if experiment.tags.contains(&tag) {
            return Ok(());
        }
        experiment.tags.retain(|(name, _)| *name != tag.0);
        experiment.tags.push(tag.clone());
        let n_runs = work.view().n_runs(id)?;
        Ok(work
            .commit(of_experiment(&experiment, n_runs, Event::new("tagged")))?
            .set_experiment_tags(id, &[tag])?)
    })
}

/// Removes a tag of an experiment.
pub fn delete_tag(platform: &Platform, id: i64, name: String) -> Result<(), TrackingError> {
    platform.begin().work(move |work| {
        let mut experiment = find_active(work.view(), id)?;
        let n_tags = experiment.tags.len();
        experiment.tags.retain(|(known, _)| *known != name);
        if experiment.tags.len() == n_tags {
            return Err(TrackingError::missing(format!(
                "No tag with name: {name} in experiment with id {id}"
            )));
        }
        let n_runs = work.view().n_runs(id)?;
        work.commit(of_experiment(&experiment, n_runs, Event::new("tagged")))?
            .remove_experiment_tag(id, &name)?;
        Ok(())
    })
}

/// Returns the experiments that a search finds; one more than asked for says that there are more.
pub fn search(
    platform: &Platform,
    query: &Query,
    viewed: Viewed,
    selection: Selection,
) -> Result<Vec<Experiment>, TrackingError> {
    if selection.limit == 0 || selection.limit > RESULTS_LIMIT {
        let n = selection.limit;
        return Err(TrackingError::invalid(format!(
            "Invalid value {n} for parameter 'max_results' supplied. It must be a positive integer and at most {RESULTS_LIMIT}"
        )));
    }
    let one_more = Selection {
        limit: selection.limit + 1,
        ..selection
    };
    Ok(platform
        .store
        .reading()?
        .view()
        .search_experiments(query, viewed, one_more)?)
}
