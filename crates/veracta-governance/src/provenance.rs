//! The in-toto statement about a model: how it was made, as SLSA provenance v1.

use serde_json::json;
use veracta_ledger::statement::{ResourceDescriptor, SLSA_PROVENANCE, STATEMENT_TYPE, Statement};

use crate::record::{ModelVersion, Run};

/// Build type of models trained by this program.
pub(crate) const BUILD_TYPE: &str = "https://veracta.invalid/build/pipeline@v1";

/// Returns the statement: hyperparameters are external parameters, datasets are resolved dependencies.
///
/// Times are whole seconds in UTC, as the specification asks.
pub fn model_provenance(model: &ModelVersion, run: &Run, origin: &str) -> Statement {
    let dependencies: Vec<ResourceDescriptor> = run
        .inputs
        .iter()
        .map(|input| ResourceDescriptor::sha256(input.name.clone(), input.digest))
        .collect();
    let whole_second = |time: &str| format!("{}Z", time.split(['.', 'Z']).next().unwrap_or(time));
    Statement {
        statement_type: STATEMENT_TYPE.to_owned(),
        subject: vec![ResourceDescriptor::sha256(
            format!("{}@{}", model.model, model.version),
            model.digest,
        )],
        predicate_type: SLSA_PROVENANCE.to_owned(),
        predicate: json!({
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": { "pipeline": run.pipeline, "step": run.step, "training": model.training },
                "internalParameters": { "seed": run.seed },
                "resolvedDependencies": dependencies,
            },
            "runDetails": {
                "builder": { "id": format!("https://veracta.invalid/log/{origin}"), "version": { "veracta": run.environment.program } },
                "metadata": { "invocationId": format!("{origin}#{}", model.run_idx), "startedOn": whole_second(&run.started), "finishedOn": whole_second(&run.ended) },
            },
        }),
    }
}
