//! The stages of a version, and moving it from one to another.

use veracta_store::Platform;
use veracta_store::tracking::RegisteredVersion;

use super::{find_version, get, write_version};
use crate::evidence::Event;
use crate::{TrackingError, now_ms};

/// Stages that a version may be in, in the spelling of the API.
pub(super) const STAGES: [&str; 4] = ["None", "Staging", "Production", "Archived"];

/// Returns the latest version in each of these stages; in all when none is named.
pub fn latest_versions(
    platform: &Platform,
    name: &str,
    stages: &[String],
) -> Result<Vec<RegisteredVersion>, TrackingError> {
    let stages = stages
        .iter()
        .map(|stage| stage_named(stage))
        .collect::<Result<Vec<_>, _>>()?;
    let (_, latest) = get(platform, name)?;
    Ok(latest
        .into_iter()
        .filter(|version| stages.is_empty() || stages.contains(&version.stage.as_str()))
        .collect())
}

/// Returns a stage in its own spelling.
fn stage_named(stage: &str) -> Result<&'static str, TrackingError> {
    STAGES
        .into_iter()
        .find(|known| known.eq_ignore_ascii_case(stage))
        .ok_or_else(|| {
            TrackingError::invalid(format!(
                "Invalid Model Version stage: {stage}. Value must be one of {}.",
                STAGES.join(", ")
            ))
        })
}

/// The change of a version to another stage.
#[derive(Debug, Clone)]
pub struct Transition {
    /// Word for the new stage, in any case of letters.
    pub stage: String,
    /// Whether the other versions in that stage are archived.
    pub archive_existing: bool,
    /// The reason, recorded with the change; `None` when none was given.
    pub reason: Option<String>,
}

/// Moves a version to another stage.
pub fn transition(
    platform: &Platform,
    (model, version): (String, i64),
    transition: Transition,
) -> Result<RegisteredVersion, TrackingError> {
    let stage = stage_named(&transition.stage)?;
    if transition.archive_existing && !matches!(stage, "Staging" | "Production") {
        return Err(TrackingError::invalid(format!(
            "Model version transition cannot archive existing model versions because '{stage}' is not an Active stage. \
             Valid stages are ['Staging', 'Production']"
        )));
    }
    let now = now_ms(platform);
    platform.begin().work(move |work| {
        let before = find_version(work.view(), &model, version)?;
        let reason = transition.reason.as_deref();
        if transition.archive_existing {
            let others = work
                .view()
                .versions_of(std::slice::from_ref(&model), false)?;
            for other in others
                .into_iter()
                .filter(|other| other.stage == stage && other.version != version)
            {
                let archived = RegisteredVersion {
                    stage: "Archived".to_owned(),
                    updated_ms: now,
                    ..other.clone()
                };
                write_version(
                    work,
                    &other,
                    &archived,
                    Event {
                        event: "archived",
                        reason,
                    },
                )?;
            }
        }
        let staged = RegisteredVersion {
            stage: stage.to_owned(),
            updated_ms: now,
            ..before.clone()
        };
        write_version(
            work,
            &before,
            &staged,
            Event {
                event: "staged",
                reason,
            },
        )?;
        Ok(staged)
    })
}
