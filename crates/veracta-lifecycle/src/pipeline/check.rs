//! Problems of a pipeline file that can be seen without the data, each with its line and column.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_saphyr::Spanned;
use veracta_documents::{DOCUMENT_KINDS, DocumentKind};
use veracta_governance::controls::Catalogue;
use veracta_statistics::fairness::{DISPARITIES, Disparity};
use veracta_statistics::performance::{METRICS, Metric};

use super::schedule::find_cycle;
use super::spec::{
    AlgorithmName, MonitoringSpec, PIPELINE_SCHEMA, PipelineSpec, SplitMethodName, TaskName,
    TrainingSection,
};
use super::steps::BUILT_IN;
use crate::Problem;

/// Collects problems with their place.
struct Checker<'t> {
    file: String,
    text: &'t str,
    problems: Vec<Problem>,
}

impl Checker<'_> {
    fn refuse<T>(&mut self, place: &Spanned<T>, message: String, hint: Option<String>) {
        let (line, column) = (
            place.referenced.line() as usize,
            place.referenced.column() as usize,
        );
        self.problems.push(Problem {
            file: self.file.clone(),
            line,
            column,
            message,
            hint,
        });
    }

    /// Refuses a setting at the line of the key that its message begins with, such as `training.rounds must …`.
    fn refuse_at_key(&mut self, message: &str) {
        let key = message.split(" must").next().unwrap_or_default();
        let words = key.split([' ', '.']);
        let mut place = (0, 0);
        for (idx, content) in self.text.lines().enumerate() {
            // `most:` is not the end of `at_most:`.
            let column = |word: &str| {
                let at = content.find(&format!("{word}:"))?;
                let before = content[..at].chars().next_back();
                let is_whole = before.is_none_or(|c| !c.is_alphanumeric() && c != '_');
                is_whole.then_some(at + 1)
            };
            let found = words.clone().skip(1).find_map(column);
            if let Some(column) = found {
                place = (idx + 1, column);
                break;
            }
        }
        let (line, column) = place;
        self.problems.push(Problem {
            file: self.file.clone(),
            line,
            column,
            message: message.to_owned(),
            hint: None,
        });
    }

    fn refuse_at_name(&mut self, spec: &PipelineSpec, message: String, hint: Option<String>) {
        self.refuse(&spec.name, message, hint);
    }
}

/// Returns the known name closest to a misspelt one.
pub(crate) fn did_you_mean<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Option<String> {
    let distance = |other: &str| {
        let (a, b): (Vec<char>, Vec<char>) = (name.chars().collect(), other.chars().collect());
        let mut row: Vec<usize> = (0..=b.len()).collect();
        for (i, from) in a.iter().enumerate() {
            let mut diagonal = std::mem::replace(&mut row[0], i + 1);
            for (j, to) in b.iter().enumerate() {
                let cost = diagonal + usize::from(from.to_lowercase().ne(to.to_lowercase()));
                let least = cost.min(row[j] + 1).min(row[j + 1] + 1);
                diagonal = std::mem::replace(&mut row[j + 1], least);
            }
        }
        row[b.len()]
    };
    let best = known.map(|other| (distance(other), other)).min();
    best.filter(|(distance, other)| *distance <= 2.max(other.len() / 4))
        .map(|(_, other)| format!("did you mean `{other}`?"))
}

/// Returns every problem of the specification that can be found without another file; empty when there is none.
pub(super) fn check(spec: &PipelineSpec, path: &Path, text: &str) -> Vec<Problem> {
    let mut checker = Checker {
        file: path.display().to_string(),
        text,
        problems: Vec::new(),
    };
    if spec.schema.value != PIPELINE_SCHEMA {
        let message = format!(
            "schema `{}` is not known; this program reads `{PIPELINE_SCHEMA}`",
            spec.schema.value
        );
        checker.refuse(&spec.schema, message, None);
    }
    let is_name = |name: &str| {
        !name.is_empty()
            && name.len() <= 100
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    };
    if !is_name(&spec.name.value) {
        checker.refuse(
            &spec.name,
            format!(
                "`{}` is not a name: use letters, digits, `-`, `_` and `.`",
                spec.name.value
            ),
            None,
        );
    }
    for framework in &spec.frameworks {
        let known = &Catalogue::shipped().frameworks;
        if !known.contains_key(&framework.value) {
            let hint = did_you_mean(&framework.value, known.keys().map(String::as_str));
            checker.refuse(
                framework,
                format!("unknown framework `{}`", framework.value),
                hint,
            );
        }
    }
    for document in &spec.documents {
        if DocumentKind::named(&document.value).is_none() {
            let hint = did_you_mean(&document.value, DOCUMENT_KINDS.iter().map(|kind| kind.id()));
            checker.refuse(
                document,
                format!("unknown document `{}`", document.value),
                hint,
            );
        }
    }
    for (character, reason) in spec.data.wrong_characters() {
        checker.refuse(character, reason.to_owned(), None);
    }
    check_criteria(spec, &mut checker);
    check_measures(spec, &mut checker);
    check_numbers(spec, &mut checker);
    check_commands(spec, &mut checker);
    check_waivers(spec, &mut checker);
    check_dates(spec, &mut checker);
    if spec.data.drop.contains_key(&spec.data.label.column.value) {
        checker.refuse(
            &spec.data.label.column,
            format!(
                "the label `{}` cannot be dropped",
                spec.data.label.column.value
            ),
            None,
        );
    }
    if spec.split.method == SplitMethodName::Time && spec.split.time.is_none() {
        checker.refuse_at_name(
            spec,
            "a split by time needs `time:` with the name of a column".to_owned(),
            None,
        );
    }
    match (
        &spec.split.column,
        spec.split.method == SplitMethodName::Column,
    ) {
        (None, true) => checker.refuse_at_name(
            spec,
            "a split by column needs `column:` with its name".to_owned(),
            None,
        ),
        (Some(column), true) if !spec.data.drop.contains_key(&column.value) => {
            let message = format!(
                "`{}` says which part a row belongs to and is no input",
                column.value
            );
            checker.refuse(
                column,
                message,
                Some("list it under `data.drop` with that reason".to_owned()),
            );
        }
        _ => {}
    }
    check_elsewhere(spec, &mut checker);
    if let Some(task) = &spec.data.label.task
        && task.value != TaskName::Binary
    {
        let message =
            "pipelines judge classifiers of two classes; other tasks come with a later version";
        let hint = Some("`veracta evaluate --task` measures them".to_owned());
        checker.refuse(task, message.to_owned(), hint);
    }
    checker.problems
}

/// Returns the settings of training here that were given.
fn settings_given(training: &TrainingSection) -> Vec<&'static str> {
    let given = [
        ("rounds", training.rounds.is_some()),
        ("learning_rate", training.learning_rate.is_some()),
        ("max_depth", training.max_depth.is_some()),
        ("min_child_weight", training.min_child_weight.is_some()),
        ("subsample", training.subsample.is_some()),
        ("colsample_bytree", training.colsample_bytree.is_some()),
        ("lambda", training.lambda.is_some()),
        ("seed", training.seed.is_some()),
        ("l2", training.l2.is_some()),
    ];
    let given = given.iter().filter(|(_, is_given)| *is_given);
    given.map(|(name, _)| *name).collect()
}

/// A model that was trained elsewhere is named, judged on rows it was not trained on, and not trained again.
fn check_elsewhere(spec: &PipelineSpec, checker: &mut Checker<'_>) {
    let training = &spec.training;
    let (named, field, example) = match training.algorithm {
        AlgorithmName::GradientBoosting | AlgorithmName::LogisticRegression => {
            let fields = [&training.version, &training.file, &training.path];
            for field in fields.into_iter().flatten() {
                let message = "`version` and `file` belong to `algorithm: tracked`, `path` to `algorithm: file`";
                checker.refuse(field, message.to_owned(), None);
            }
            return;
        }
        AlgorithmName::Tracked => {
            if let Some(path) = &training.path {
                checker.refuse(path, "`path` belongs to `algorithm: file`".to_owned(), None);
            }
            (&training.version, "version", "churn@3")
        }
        AlgorithmName::File => {
            for field in training.version.iter().chain(&training.file) {
                let message = "`version` and `file` belong to `algorithm: tracked`";
                checker.refuse(field, message.to_owned(), None);
            }
            (&training.path, "path", "model.onnx")
        }
    };
    let Some(named) = named else {
        let message =
            format!("a model that was trained elsewhere needs `{field}:`, such as `{example}`");
        checker.refuse_at_name(spec, message, None);
        return;
    };
    let is_version = |text: &str| {
        let number = text.rsplit_once('@').map(|(_, number)| number);
        number.is_some_and(|number| number.parse::<u32>().is_ok())
    };
    if training.algorithm == AlgorithmName::Tracked && !is_version(&named.value) {
        let message = format!(
            "`{}` is no version of a registered model, such as `{example}`",
            named.value
        );
        checker.refuse(named, message, None);
    }
    if training.algorithm == AlgorithmName::File && !is_inside(&named.value) {
        checker.refuse(
            named,
            format!("`{}` is outside the pipeline's folder", named.value),
            Some("use a relative path without `..`".to_owned()),
        );
    }
    check_untrained(spec, named, checker);
}

/// Refuses what cannot be done with a model that is not trained here; `named` is where the file names it.
fn check_untrained(spec: &PipelineSpec, named: &Spanned<String>, checker: &mut Checker<'_>) {
    if spec.split.method != SplitMethodName::Column {
        let hint = "say it with `split: {method: column, column: …}`: only whoever trained it knows which rows it has seen";
        checker.refuse(
            named,
            "a model that was trained elsewhere needs to be told which rows it was trained on"
                .to_owned(),
            Some(hint.to_owned()),
        );
    }
    let privacy = spec.validation.privacy.as_ref();
    if privacy.is_some_and(|privacy| privacy.shadows > 0) {
        checker.refuse(
            named,
            "shadow models of a model that was trained elsewhere cannot be trained here".to_owned(),
            Some("set `validation.privacy.shadows: 0`".to_owned()),
        );
    }
    let given = settings_given(&spec.training);
    if !given.is_empty() {
        let message = format!(
            "a model that was trained elsewhere has its settings already: leave out {}",
            given.join(", ")
        );
        checker.refuse_at_name(spec, message, None);
    }
}

/// Returns a path in its shortest form: without `.` and doubled slashes, by which the step that writes a file is found.
fn shortest(path: &str) -> String {
    let parts = Path::new(path).components();
    let parts = parts.filter(|part| !matches!(part, std::path::Component::CurDir));
    parts.collect::<std::path::PathBuf>().display().to_string()
}

/// Refuses paths that are not in their shortest form: under another spelling a step that writes the file would not be waited for.
fn check_paths(spec: &PipelineSpec, checker: &mut Checker<'_>) {
    for path in spec.files() {
        let short = shortest(&path.value);
        if short != path.value {
            checker.refuse(
                path,
                format!("`{}` is not in its shortest form", path.value),
                Some(format!("write `{short}`")),
            );
        }
    }
}

/// Returns whether a path stays in the pipeline's folder.
fn is_inside(path: &str) -> bool {
    let mut parts = Path::new(path).components();
    parts.all(|part| matches!(part, std::path::Component::Normal(_)))
}

fn check_criteria(spec: &PipelineSpec, checker: &mut Checker<'_>) {
    for criterion in &spec.validation.criteria {
        if Metric::named(&criterion.metric.value).is_none() {
            let hint = did_you_mean(
                &criterion.metric.value,
                METRICS.iter().map(|metric| metric.name),
            );
            checker.refuse(
                &criterion.metric,
                format!("unknown metric `{}`", criterion.metric.value),
                hint,
            );
        }
        check_limit(
            &criterion.metric,
            criterion.at_least,
            criterion.at_most,
            checker,
        );
    }
    for criterion in &spec.validation.fairness {
        if Disparity::named(&criterion.metric.value).is_none() {
            let hint = did_you_mean(
                &criterion.metric.value,
                DISPARITIES.iter().map(|(_, name)| *name),
            );
            checker.refuse(
                &criterion.metric,
                format!("unknown gap or ratio `{}`", criterion.metric.value),
                hint,
            );
        }
        check_limit(
            &criterion.metric,
            criterion.at_least,
            criterion.at_most,
            checker,
        );
    }
}

/// Checks what is measured only when it is asked for.
fn check_measures(spec: &PipelineSpec, checker: &mut Checker<'_>) {
    let validation = &spec.validation;
    if let Some(robustness) = &validation.robustness {
        if Metric::named(&robustness.metric.value).is_none() {
            let hint = did_you_mean(
                &robustness.metric.value,
                METRICS.iter().map(|metric| metric.name),
            );
            checker.refuse(
                &robustness.metric,
                format!("unknown metric `{}`", robustness.metric.value),
                hint,
            );
        }
        check_limit(
            &robustness.metric,
            robustness.at_least,
            robustness.at_most,
            checker,
        );
        if robustness
            .scenarios
            .iter()
            .any(|scenario| !scenario.is_possible())
        {
            checker.refuse_at_key(
                "validation.robustness.scenarios: sizes are finite, and shares between 0 and 1",
            );
        }
    }
    if let Some(privacy) = &validation.privacy {
        if !(0.5..=1.0).contains(&privacy.auc_at_most) {
            checker.refuse_at_key("validation.privacy.auc_at_most must be between 0.5 and 1");
        }
        if !crate::validation::membership::are_shadows_possible(privacy.shadows) {
            checker.refuse_at_key(
                "validation.privacy.shadows must be 0 or an even number from 4 to 256",
            );
        }
    }
    let has_tolerance =
        |monitoring: &MonitoringSpec| monitoring.tolerance > 0.0 && monitoring.tolerance < 1.0;
    if spec
        .monitoring
        .as_ref()
        .is_some_and(|monitoring| !has_tolerance(monitoring))
    {
        checker.refuse_at_key("monitoring.tolerance must be between 0 and 1");
    }
}

fn check_limit(
    place: &Spanned<String>,
    at_least: Option<f64>,
    at_most: Option<f64>,
    checker: &mut Checker<'_>,
) {
    match (at_least, at_most) {
        (Some(limit), None) | (None, Some(limit)) if limit.is_finite() => {}
        _ => checker.refuse(
            place,
            format!(
                "`{}` needs one finite limit: either `at_least` or `at_most`",
                place.value
            ),
            None,
        ),
    }
}

fn check_numbers(spec: &PipelineSpec, checker: &mut Checker<'_>) {
    let training = &spec.training;
    let rules = [
        spec.validation.rules(),
        spec.split.rules(),
        spec.screening.rules(),
        spec.minimisation.rules(),
        training.rules(),
        spec.explanation.rules(),
    ];
    for (_, message) in rules.into_iter().flatten().filter(|(holds, _)| !holds) {
        checker.refuse_at_key(message);
    }
    let boosting = training.rounds.is_some()
        || training.max_depth.is_some()
        || training.learning_rate.is_some();
    if training.algorithm == AlgorithmName::LogisticRegression && boosting {
        checker.refuse_at_name(
            spec,
            "logistic regression has no rounds, depth or learning rate".to_owned(),
            None,
        );
    }
    if training.algorithm == AlgorithmName::GradientBoosting && training.l2.is_some() {
        checker.refuse_at_name(
            spec,
            "gradient boosting has no `l2`; its penalty is `lambda`".to_owned(),
            None,
        );
    }
}

fn check_commands(spec: &PipelineSpec, checker: &mut Checker<'_>) {
    check_paths(spec, checker);
    let mut writers: BTreeMap<&str, &str> = BTreeMap::new();
    let mut ids = BTreeSet::new();
    for step in &spec.steps {
        if !ids.insert(step.id.value.as_str())
            || BUILT_IN
                .iter()
                .any(|step_of| step_of.id(spec) == step.id.value)
        {
            checker.refuse(
                &step.id,
                format!(
                    "step `{}` is there twice or is a built-in one",
                    step.id.value
                ),
                None,
            );
        }
        for file in step.inputs.iter().chain(&step.outputs) {
            if !is_inside(&file.value) {
                checker.refuse(
                    file,
                    format!("`{}` is outside the pipeline's folder", file.value),
                    Some("use a relative path without `..`".to_owned()),
                );
            }
        }
        for output in &step.outputs {
            if let Some(other) = writers.insert(&output.value, &step.id.value) {
                checker.refuse(
                    output,
                    format!("`{}` is written by `{other}` as well", output.value),
                    None,
                );
            }
        }
    }
    if let Some(cycle) = find_cycle(&spec.steps) {
        let place = spec
            .steps
            .iter()
            .find(|step| step.id.value == cycle[0])
            .map_or(&spec.name, |step| &step.id);
        checker.refuse(
            place,
            format!("steps wait for each other: {}", cycle.join(" → ")),
            Some("remove one of the inputs".to_owned()),
        );
    }
}

/// Returns whether a text is a day in the one form that days are compared in: `2027-01-31`, not `20270131`.
fn is_day(text: &str) -> bool {
    let day = text.parse::<jiff::civil::Date>();
    day.is_ok_and(|day| day.to_string() == text)
}

fn check_dates(spec: &PipelineSpec, checker: &mut Checker<'_>) {
    let data = &spec.data;
    let dates = [
        &data.collected_from,
        &data.collected_to,
        &data.retention_until,
    ]
    .into_iter()
    .flatten();
    let statements = spec
        .statements
        .iter()
        .filter_map(|statement| statement.valid_until.as_ref());
    for date in dates.chain(statements).filter(|date| !is_day(&date.value)) {
        checker.refuse(
            date,
            format!("`{}` is not a day", date.value),
            Some("write it as 2027-01-31".to_owned()),
        );
    }
}

fn check_waivers(spec: &PipelineSpec, checker: &mut Checker<'_>) {
    for waiver in &spec.waivers {
        let subject = waiver.subject.value.as_str();
        let is_known = match subject.split_once(':') {
            Some(("rule", id)) => veracta_governance::gate::RULES
                .iter()
                .any(|rule| rule.id == id),
            Some(("control", id)) => Catalogue::shipped()
                .controls
                .iter()
                .any(|control| control.id == id),
            _ => false,
        };
        if !is_known {
            let rules = veracta_governance::gate::RULES
                .iter()
                .map(|rule| format!("rule:{}", rule.id));
            let controls = Catalogue::shipped()
                .controls
                .iter()
                .map(|control| format!("control:{}", control.id));
            let known: Vec<String> = rules.chain(controls).collect();
            let nearest = did_you_mean(subject, known.iter().map(String::as_str));
            let hint = nearest.unwrap_or_else(|| "write `rule:<id>` or `control:<id>`".to_owned());
            checker.refuse(
                &waiver.subject,
                format!("`{subject}` is not a rule or control"),
                Some(hint),
            );
        }
        if waiver.signer.trim().is_empty() || waiver.reason.trim().is_empty() {
            checker.refuse(
                &waiver.subject,
                format!("the waiver of `{subject}` needs a signer and a reason"),
                Some("name who accepts what, and why".to_owned()),
            );
        }
        if !is_day(&waiver.valid_until) {
            checker.refuse(
                &waiver.subject,
                format!("`{}` is not a day", waiver.valid_until),
                Some("write it as 2027-01-31".to_owned()),
            );
        }
    }
}
