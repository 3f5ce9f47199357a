//! Brings in what an MLflow server or its clients kept: experiments, runs with their histories, logged models, the registry, and files.
//!
//! Ids and times stay. Each thing is brought in by one transaction with a record that says so; what is there already stays as it is, so that
//! an import that was interrupted goes on where it stopped, and a second one changes nothing.

mod comparison;
mod counts;
mod file_store;
mod files;
mod server;
mod source;

use std::sync::Arc;

use veracta_governance::record::{Attestation, Record};
use veracta_ledger::Hash;
use veracta_store::tracking::{
    ArtifactFile, DELETED_VERSION, Experiment, ForeignRun, LoggedModel, RegisteredModel,
    RegisteredVersion, Run,
};
use veracta_store::{NewRecord, Work};

use crate::evidence::{Event, of_experiment, of_model_version, of_registered_model};
use crate::{PROXY_SCHEME, TrackingError, artifacts, random, runs};
use veracta_store::Platform;

pub use self::counts::Counts;
use self::files::Found;
pub(crate) use self::files::Locations;
pub use self::files::Relocation;
pub use self::source::{ImportError, Source};

/// Word for the event in the records of an import.
const IMPORTED: &str = "imported";

/// The result of an import: what the source has, and what became of it.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct Imported {
    /// Number of things in the source, by kind.
    pub found: Counts,
    /// What was brought in now; the rest was there already.
    pub added: Counts,
    /// What is here and is not what the source has: it was changed here since, or a file could not be read.
    pub differences: Vec<String>,
    /// Things that were not brought in, each with the reason.
    pub left_out: Vec<String>,
    /// Files that are kept under another name, and why.
    pub renamed: Vec<String>,
}

/// Called after each run or model with the counts so far and its id or name.
pub type Progress<'p> = dyn Fn(&Counts, &str) + 'p;

/// An import in progress, with its result so far.
struct Import<'i> {
    platform: &'i Platform,
    source: &'i Source,
    locations: Locations,
    result: Imported,
    progress: &'i Progress<'i>,
}

/// Brings in everything of a source; a second import of the same source changes nothing.
pub fn import_mlflow(
    platform: &Platform,
    source: &Source,
    relocations: Vec<Relocation>,
    progress: &Progress<'_>,
) -> Result<Imported, ImportError> {
    crate::experiments::begin(platform)?;
    let locations = Locations::new(source.folder(), relocations);
    let mut import = Import {
        platform,
        source,
        locations,
        result: Imported::default(),
        progress,
    };
    let experiments = source.experiments()?;
    import.refuse_conflicts(&experiments)?;
    for experiment in &experiments {
        import.experiment(experiment)?;
    }
    import.registry()?;
    import.result.left_out.extend(source.left_out());
    import.conclude()?;
    Ok(import.result)
}

impl Import<'_> {
    /// Refuses before anything is brought in when an experiment would take the number or the name of another.
    fn refuse_conflicts(&self, experiments: &[Experiment]) -> Result<(), ImportError> {
        let reading = self.platform.store.reading().map_err(TrackingError::from)?;
        for experiment in experiments {
            let of_id = reading
                .view()
                .experiment(experiment.id)
                .map_err(TrackingError::from)?;
            let of_name = reading
                .view()
                .experiment_named(&experiment.name)
                .map_err(TrackingError::from)?;
            for other in of_id.into_iter().chain(of_name) {
                if other.id != experiment.id || other.name != experiment.name {
                    return Err(ImportError::Conflict {
                        what: format!("experiment {} `{}`", experiment.id, experiment.name),
                        other: format!("experiment {} `{}`", other.id, other.name),
                    });
                }
            }
        }
        Ok(())
    }

    fn begin(&self) -> veracta_store::Transaction<'_> {
        self.platform
            .store
            .transaction(&self.platform.actor, &self.platform.now())
    }

    fn reason(&self) -> String {
        format!("import from {}", self.source.kind())
    }

    fn experiment(&mut self, theirs: &Experiment) -> Result<(), ImportError> {
        self.result.found.experiments += 1;
        let location = match self.locations.is_reachable(&theirs.artifact_location) {
            true => format!("{PROXY_SCHEME}/{}", theirs.id),
            false => theirs.artifact_location.clone(),
        };
        let ours = Experiment {
            artifact_location: location,
            ..theirs.clone()
        };
        let source_runs = self.source.runs_of(theirs.id)?;
        let (reason, new, n_runs) = (self.reason(), ours.clone(), source_runs.len() as u64);
        let is_new = self.begin().work(move |work| {
            if let Some(known) = work.view().experiment(new.id)? {
                // The experiment that is always there gets the tags that it had.
                let tags: Vec<_> = new
                    .tags
                    .iter()
                    .filter(|tag| !known.tags.iter().any(|(name, _)| *name == tag.0))
                    .cloned()
                    .collect();
                if new.id == 0 && !tags.is_empty() {
                    let mut changed = known;
                    changed.tags.extend(tags.clone());
                    let n_runs = work.view().n_runs(0)?;
                    let event = Event {
                        event: IMPORTED,
                        reason: Some(&reason),
                    };
                    work.commit(of_experiment(&changed, n_runs, event))?
                        .set_experiment_tags(0, &tags)?;
                }
                return Ok::<_, TrackingError>(false);
            }
            let event = Event {
                event: IMPORTED,
                reason: Some(&reason),
            };
            work.commit(of_experiment(&new, n_runs, event))?
                .add_experiment(&new)?;
            Ok(true)
        })?;
        self.result.added.experiments += u64::from(is_new);
        let location = self.location_of(ours.id)?;
        for model in self.source.logged_models_of(theirs.id)? {
            self.logged_model(&location, model)?;
        }
        for run in source_runs {
            let name = run.id.clone();
            let theirs = match self.source.run(run) {
                Ok(theirs) => theirs,
                Err(error) => {
                    let reason = error.of_one_thing().ok_or(error)?;
                    let left_out = format!("run {name}: {reason}");
                    self.result.left_out.push(left_out);
                    continue;
                }
            };
            self.run(&location, theirs)?;
            (self.progress)(&self.result.found, &name);
        }
        Ok(())
    }

    fn location_of(&self, experiment_id: i64) -> Result<String, ImportError> {
        let found = crate::experiments::get(self.platform, experiment_id)?;
        Ok(found.artifact_location.trim_end_matches('/').to_owned())
    }

    /// Stores the files below a location, and returns them under the path that stands for them here.
    fn files(
        &mut self,
        uri: &str,
        fallback: Option<&std::path::Path>,
        new_uri: &str,
    ) -> Result<Vec<ArtifactFile>, ImportError> {
        let Some(folder) = crate::path_of(new_uri) else {
            return Ok(Vec::new());
        };
        let Found { files, left_out } = match self.source.files(uri)? {
            Some(files) => Found {
                files,
                left_out: Vec::new(),
            },
            None => self.locations.files(uri, fallback)?,
        };
        self.result.left_out.extend(left_out);
        let mut stored = Vec::with_capacity(files.len());
        for (name, place) in files {
            let checked = match artifacts::checked_path(&name) {
                Ok(checked) if checked == name => checked,
                _ => {
                    let kept = servable(&name);
                    self.result.renamed.push(format!(
                        "{place} is kept as `{kept}`: its own name cannot be served"
                    ));
                    kept
                }
            };
            let mut file = self.source.open_file(&place)?;
            let (digest, bytes) = self
                .platform
                .store
                .blobs()
                .upload(&mut file)
                .map_err(TrackingError::from)?;
            self.result.found.files += 1;
            self.result.found.bytes += bytes;
            stored.push(ArtifactFile {
                path: format!("{folder}/{checked}"),
                digest,
                bytes,
            });
        }
        Ok(stored)
    }

    /// Returns where files are from now on: here, unless they are where this program does not read.
    fn new_uri(&self, old: &str, here: String) -> String {
        if self.locations.is_reachable(old) {
            here
        } else {
            old.to_owned()
        }
    }

    fn logged_model(&mut self, location: &str, theirs: LoggedModel) -> Result<(), ImportError> {
        self.result.found.logged_models += 1;
        let uri = self.new_uri(
            &theirs.artifact_location,
            format!("{location}/models/{}/artifacts", theirs.id),
        );
        let folder = self.source.folder_of_model(&theirs);
        self.locations.note(&theirs.artifact_location, &uri);
        let files = self.files(&theirs.artifact_location, folder.as_deref(), &uri)?;
        let ours = LoggedModel {
            artifact_location: uri,
            ..theirs
        };
        let now = (self.platform.clock)().as_millisecond();
        let came = self.begin().work(move |work| {
            let is_new = work.view().logged_model(&ours.id)?.is_none();
            let draft = work.draft_of_none();
            if is_new {
                draft.add_logged_model(&ours)?;
                draft.add_model_metrics(&ours.id, &ours.metrics)?;
            }
            let missing = missing_files(work, &files)?;
            missing
                .iter()
                .try_for_each(|file| draft.put_artifact(file, now))?;
            Ok::<_, TrackingError>(Came {
                is_new,
                ..Came::of_files(&missing)
            })
        })?;
        self.result.added.logged_models += u64::from(came.is_new);
        self.result.added.files += came.n_files;
        self.result.added.bytes += came.n_bytes;
        Ok(())
    }

    fn run(&mut self, location: &str, theirs: ForeignRun) -> Result<(), ImportError> {
        let old_uri = theirs.run.artifact_uri.clone();
        let uri = self.new_uri(&old_uri, format!("{location}/{}/artifacts", theirs.run.id));
        let folder = self.source.folder_of_run(&theirs.run);
        self.locations.note(&old_uri, &uri);
        self.locations
            .note(&format!("runs:/{}", theirs.run.id), &uri);
        let files = self.files(&old_uri, folder.as_deref(), &uri)?;
        let theirs = ForeignRun {
            run: Run {
                artifact_uri: uri,
                ..theirs.run
            },
            ..theirs
        };
        let counts = Counts {
            runs: 1,
            params: theirs.params.len() as u64,
            tags: theirs.tags.len() as u64,
            points: theirs.metrics.len() as u64,
            inputs: theirs.inputs.len() as u64,
            ..Counts::default()
        };
        add(&mut self.result.found, &counts);
        let (new, reason, salt) = (Arc::new(theirs), self.reason(), random()?);
        let now = (self.platform.clock)().as_millisecond();
        let (given, given_files) = (Arc::clone(&new), files.clone());
        let came = self.begin().work(move |work| {
            let event = Event {
                event: IMPORTED,
                reason: Some(&reason),
            };
            if let Some(known) = work.view().run(&given.run.id)? {
                return complete(work, &known, &given_files, salt, event, now);
            }
            let draft = work.draft(&given.run);
            let run = draft.add_run(given.run.clone())?;
            draft.add_params(&run, &given.params)?;
            draft.set_tags(&run, &given.tags)?;
            draft.add_metrics(&run, &given.metrics)?;
            draft.add_inputs(&run, &given.inputs)?;
            draft.add_models(&run, &given.model_inputs, &given.model_outputs)?;
            given_files
                .iter()
                .try_for_each(|file| draft.put_artifact(file, now))?;
            if run.status.is_ended() {
                runs::record(work, &run, run.stage, salt, event)?;
            }
            Ok::<_, TrackingError>(Came {
                is_new: true,
                ..Came::of_files(&given_files)
            })
        })?;
        if came.is_new {
            add(&mut self.result.added, &counts);
        }
        self.result.added.files += came.n_files;
        self.result.added.bytes += came.n_bytes;
        self.result
            .differences
            .extend(comparison::of_run(self.platform, &new, &files)?);
        Ok(())
    }

    fn registry(&mut self) -> Result<(), ImportError> {
        for model in self.source.registered_models()? {
            let versions = match self.source.versions_of(&model.name) {
                Ok(versions) => versions,
                Err(error) => {
                    let reason = error.of_one_thing().ok_or(error)?;
                    let left_out = format!("registered model `{}`: {reason}", model.name);
                    self.result.left_out.push(left_out);
                    continue;
                }
            };
            self.registered_model(model, versions)?;
        }
        Ok(())
    }

    /// Brings in a registered model with all its versions at once: half of one would be another history than it had.
    fn registered_model(
        &mut self,
        theirs: RegisteredModel,
        versions: Vec<RegisteredVersion>,
    ) -> Result<(), ImportError> {
        self.result.found.registered_models += 1;
        self.result.found.versions += versions.len() as u64;
        let n_versions = versions.len() as u64;
        let versions: Vec<RegisteredVersion> = versions
            .into_iter()
            .map(|version| self.relocated(version))
            .collect();
        let (reason, model, kept) = (self.reason(), theirs.clone(), versions.clone());
        let is_new = self.begin().work(move |work| {
            if work.view().registered_model(&model.name)?.is_some() {
                complete_versions(work, &model.name, &reason)?;
                return Ok::<_, TrackingError>(false);
            }
            let event = Event {
                event: IMPORTED,
                reason: Some(&reason),
            };
            let recorded = work.commit(of_registered_model(&model, None, event))?;
            recorded.add_registered_model(&model)?;
            model.aliases.iter().try_for_each(|(alias, version)| {
                recorded.set_alias(&model.name, alias, *version)
            })?;
            for version in &kept {
                let event = if version.stage == DELETED_VERSION {
                    Event {
                        event: "deleted",
                        ..event
                    }
                } else {
                    event
                };
                work.commit(of_model_version(work.view(), version, event)?)?
                    .add_model_version(version)?;
            }
            Ok(true)
        })?;
        if is_new {
            self.result.added.registered_models += 1;
            self.result.added.versions += n_versions;
        }
        self.result
            .differences
            .extend(comparison::of_model(self.platform, &theirs, &versions)?);
        Ok(())
    }

    fn relocated(&self, version: RegisteredVersion) -> RegisteredVersion {
        let storage_location = match &version.model_id {
            Some(id) => self
                .logged_location(id)
                .unwrap_or_else(|| self.locations.new_of(&version.storage_location)),
            None => self.locations.new_of(&version.storage_location),
        };
        let source = self.locations.new_of_source(&version.source);
        RegisteredVersion {
            storage_location,
            source,
            ..version
        }
    }

    fn logged_location(&self, id: &str) -> Option<String> {
        let reading = self.platform.store.reading().ok()?;
        reading
            .view()
            .logged_model(id)
            .ok()
            .flatten()
            .map(|model| model.artifact_location)
    }

    /// Records how the import ended, when it brought anything in.
    fn conclude(&mut self) -> Result<(), ImportError> {
        let Imported {
            found,
            added,
            differences,
            left_out,
            ..
        } = &self.result;
        if *added == Counts::default() {
            return Ok(());
        }
        let statement = format!(
            "Imported from {}: {} of {} experiments, {} of {} runs with {} values of metrics, {} of {} logged models, {} of {} registered models, \
             {} of {} files; the rest was there. {} differences, {} left out.",
            self.source.kind(),
            added.experiments,
            found.experiments,
            added.runs,
            found.runs,
            added.points,
            added.logged_models,
            found.logged_models,
            added.registered_models,
            found.registered_models,
            added.files,
            found.files,
            differences.len(),
            left_out.len(),
        );
        let digest: Hash = Hash::of(statement.as_bytes());
        let body = Attestation {
            topic: "import".to_owned(),
            statement,
            signer: None,
            valid_until: None,
            file_digest: None,
            plan: None,
        };
        let record = Record::Attestation(body);
        let subject = format!("import:{}", digest.short());
        let new = NewRecord {
            record,
            subject,
            key: None,
            links: Vec::new(),
            artifacts: Vec::new(),
        };
        self.begin().commit(new).map_err(TrackingError::from)?;
        Ok(())
    }
}

/// What came of one run or model.
#[derive(Debug, Clone, Copy, Default)]
struct Came {
    is_new: bool,
    n_files: u64,
    n_bytes: u64,
}

impl Came {
    fn of_files(files: &[ArtifactFile]) -> Self {
        Self {
            is_new: false,
            n_files: files.len() as u64,
            n_bytes: files.iter().map(|file| file.bytes).sum(),
        }
    }
}

/// Returns the files that are not here; one that is here with other bytes is a difference and stays.
fn missing_files(
    work: &Work<'_>,
    files: &[ArtifactFile],
) -> Result<Vec<ArtifactFile>, TrackingError> {
    let mut missing = Vec::new();
    for file in files {
        if work.view().artifact(&file.path)?.is_none() {
            missing.push(file.clone());
        }
    }
    Ok(missing)
}

/// Adds the files that an earlier import of a run left out, with a new record of the run when it has ended.
fn complete(
    work: &mut Work<'_>,
    known: &Run,
    files: &[ArtifactFile],
    salt: Hash,
    event: Event<'_>,
    now: i64,
) -> Result<Came, TrackingError> {
    let missing = missing_files(work, files)?;
    if !missing.is_empty() {
        let draft = work.draft(known);
        missing
            .iter()
            .try_for_each(|file| draft.put_artifact(file, now))?;
        if known.record_idx.is_some() {
            runs::record(work, known, known.stage, salt, event)?;
        }
    }
    Ok(Came::of_files(&missing))
}

/// Records the versions of a model anew whose files came with this import: their records name no files, or fewer.
fn complete_versions(work: &mut Work<'_>, model: &str, reason: &str) -> Result<(), TrackingError> {
    let event = Event {
        event: IMPORTED,
        reason: Some(reason),
    };
    for version in work.view().versions_of(&[model.to_owned()], false)? {
        let new = of_model_version(work.view(), &version, event)?;
        if is_completed(work, &new)? {
            work.commit(new)?;
        }
    }
    Ok(())
}

/// Returns whether a version has all the files that its latest record names, unchanged, and more.
fn is_completed(work: &Work<'_>, new: &NewRecord) -> Result<bool, TrackingError> {
    let Record::RegistryVersion(now) = &new.record else {
        return Ok(false);
    };
    let latest = work.view().latest_about("registry.version", &new.subject)?;
    Ok(match latest {
        Some(Record::RegistryVersion(before)) => {
            now.artifacts.len() > before.artifacts.len()
                && before
                    .artifacts
                    .iter()
                    .all(|artifact| now.artifacts.contains(artifact))
        }
        _ => false,
    })
}

/// Replaces what no path may have.
fn servable(name: &str) -> String {
    let is_refused = |character: char| matches!(character, '#' | '\\') || character.is_control();
    let steps = name
        .split('/')
        .map(|step| step.replace(is_refused, "_"))
        .map(|step| {
            if step.ends_with(':') {
                step.replace(':', "_")
            } else {
                step
            }
        });
    steps.collect::<Vec<_>>().join("/")
}

fn add(total: &mut Counts, more: &Counts) {
    total.runs += more.runs;
    total.params += more.params;
    total.tags += more.tags;
    total.points += more.points;
    total.inputs += more.inputs;
    total.files += more.files;
    total.bytes += more.bytes;
}
