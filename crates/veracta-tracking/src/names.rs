//! What names, keys and values may be: the rules and limits of MLflow's API.

use veracta_store::tracking::{KeyValue, MetricValue};

use super::TrackingError;

/// Longest key of a metric, parameter or tag, in characters.
const KEY_CHARS: usize = 250;
/// Longest value of a parameter; longer ones are cut, as MLflow cuts them.
const PARAM_CHARS: usize = 6_000;
/// Longest value of a run's tag; longer ones are cut.
const TAG_CHARS: usize = 8_000;
/// Longest value of an experiment's tag.
const EXPERIMENT_TAG_CHARS: usize = 20_000;
/// Longest value of a tag in the registry.
const REGISTRY_TAG_CHARS: usize = 100_000;
/// Longest name of an experiment.
const EXPERIMENT_NAME_CHARS: usize = 500;
/// Longest alias of a registered model, in characters.
const ALIAS_CHARS: usize = 255;
/// Longest name of a registered model.
const MODEL_NAME_CHARS: usize = 1_000;

/// Most metrics of one batch.
const BATCH_METRICS: usize = 1_000;
/// Most parameters, and most tags, of one batch.
const BATCH_PARAMS: usize = 100;
/// Most metrics, parameters and tags of one batch taken together.
const BATCH_TOTAL: usize = 1_000;

/// Refuses a text over a limit.
pub(super) fn check_length(what: &str, text: &str, limit: usize) -> Result<(), TrackingError> {
    if text.chars().count() > limit {
        return Err(TrackingError::invalid(format!(
            "'{what}' exceeds the maximum length of {limit} characters"
        )));
    }
    Ok(())
}

fn cut(text: &str, limit: usize) -> String {
    text.char_indices()
        .nth(limit)
        .map_or(text, |(end, _)| &text[..end])
        .to_owned()
}

/// Quotes a value as the API's messages do.
pub(super) fn invalid_value(path: &str, value: &str, why: &str) -> TrackingError {
    let value = serde_json::Value::from(value);
    TrackingError::invalid(format!(
        "Invalid value {value} for parameter '{path}' supplied: {why}"
    ))
}

/// Whether a key is a relative path in its shortest form.
fn is_normal_path(name: &str) -> bool {
    let is_step = |step: &str| !step.is_empty() && step != "." && step != "..";
    name.split('/').all(is_step)
}

fn check_key(name: &str, path: impl Fn() -> String) -> Result<(), TrackingError> {
    let is_allowed = |character: char| character.is_alphanumeric() || "_-.:/ ".contains(character);
    if name.is_empty() || !name.chars().all(is_allowed) {
        let why = "Names may only contain alphanumerics, underscores (_), dashes (-), periods (.), spaces ( ), colon(:) and slashes (/).";
        return Err(invalid_value(&path(), name, why));
    }
    if !is_normal_path(name) {
        let why = "Names may be treated as files in certain cases, and must not resolve to other names when treated as such.";
        return Err(invalid_value(&path(), name, why));
    }
    Ok(())
}

/// Checks metrics; `path` names one in messages.
pub(super) fn check_metrics(
    metrics: &[MetricValue],
    path: impl Fn(usize) -> String,
) -> Result<(), TrackingError> {
    for (position, MetricValue { name, point }) in metrics.iter().enumerate() {
        check_key(name, || path(position) + "name")?;
        if point.timestamp_ms < 0 {
            let why = format!(
                "metric '{name}' (value={}). Timestamp must be a nonnegative long (64-bit integer) ",
                point.value
            );
            let path = path(position);
            let time = point.timestamp_ms;
            return Err(TrackingError::invalid(format!(
                "Invalid value {time} for parameter '{path}timestamp' supplied: {why}"
            )));
        }
        check_length("Metric name", name, KEY_CHARS)?;
    }
    Ok(())
}

/// Checks parameters and cuts long values.
pub(super) fn checked_params(
    params: Vec<KeyValue>,
    path: impl Fn(usize) -> String,
) -> Result<Vec<KeyValue>, TrackingError> {
    let check = |(position, (name, value)): (usize, KeyValue)| {
        check_key(&name, || path(position) + "key")?;
        check_length("Param key", &name, KEY_CHARS)?;
        Ok((name, cut(&value, PARAM_CHARS)))
    };
    params.into_iter().enumerate().map(check).collect()
}

/// Checks tags of a run and cuts long values.
pub(super) fn checked_tags(
    tags: Vec<KeyValue>,
    path: impl Fn(usize) -> String,
) -> Result<Vec<KeyValue>, TrackingError> {
    let check = |(position, (name, value)): (usize, KeyValue)| {
        let path = format!("{}key", path(position));
        check_key(&name, || path.clone())?;
        check_length(&path, &name, KEY_CHARS)?;
        Ok((name, cut(&value, TAG_CHARS)))
    };
    tags.into_iter().enumerate().map(check).collect()
}

/// Checks the tags of an experiment.
pub(super) fn check_experiment_tags(tags: &[KeyValue]) -> Result<(), TrackingError> {
    check_tags(tags, EXPERIMENT_TAG_CHARS)
}

/// Checks tags in the registry.
pub(super) fn check_registry_tags(tags: &[KeyValue]) -> Result<(), TrackingError> {
    check_tags(tags, REGISTRY_TAG_CHARS)
}

fn check_tags(tags: &[KeyValue], limit: usize) -> Result<(), TrackingError> {
    for (name, value) in tags {
        check_key(name, || "key".to_owned())?;
        check_length("key", name, KEY_CHARS)?;
        check_length("value", value, limit)?;
    }
    Ok(())
}

/// Checks the size of a batch, and that no parameter is there twice.
pub(super) fn check_batch(
    n_metrics: usize,
    params: &[KeyValue],
    n_tags: usize,
) -> Result<(), TrackingError> {
    let check = |what: &str, limit: usize, n: usize| {
        if n <= limit {
            return Ok(());
        }
        Err(TrackingError::invalid(format!(
            "A batch logging request can contain at most {limit} {what}. Got {n} {what}. \
             Please split up {what} across multiple requests and try again."
        )))
    };
    check("metrics", BATCH_METRICS, n_metrics)?;
    check("params", BATCH_PARAMS, params.len())?;
    check("tags", BATCH_PARAMS, n_tags)?;
    check(
        "metrics, params, and tags",
        BATCH_TOTAL,
        n_metrics + params.len() + n_tags,
    )?;
    let mut seen = std::collections::HashSet::new();
    let twice: Vec<String> = params
        .iter()
        .filter(|(name, _)| !seen.insert(name))
        .map(|(name, _)| format!("'{name}'"))
        .collect();
    if !twice.is_empty() {
        let message = format!(
            "Duplicate parameter keys have been submitted: [{}]. Please ensure the request contains only one param value per param key.",
            twice.join(", ")
        );
        return Err(TrackingError::invalid(message));
    }
    Ok(())
}

/// Checks the name of an experiment.
pub(super) fn check_experiment_name(name: &str) -> Result<(), TrackingError> {
    check_length("name", name, EXPERIMENT_NAME_CHARS)
}

/// Checks where an experiment's artifacts are to be.
pub(super) fn check_artifact_location(location: &str) -> Result<(), TrackingError> {
    if location.starts_with("runs:") {
        return Err(TrackingError::invalid(format!(
            "Artifact location cannot be a runs:/ URI. Given: '{location}'"
        )));
    }
    // What is below this server's own root is a name, looked up and never opened.
    if location.starts_with(super::PROXY_SCHEME) && !location.contains(['#', '\\']) {
        return Ok(());
    }
    if location.contains(['#', '?', '\\']) || location.split('/').any(|step| step == "..") {
        return Err(TrackingError::invalid(format!(
            "'artifact_location' must be a URI without query, fragment or `..`. Given: '{location}'"
        )));
    }
    Ok(())
}

/// Checks the id of an experiment and returns its number.
pub fn experiment_number(id: &str) -> Result<i64, TrackingError> {
    id.parse().map_err(|_| {
        TrackingError::invalid(format!(
            "Invalid experiment ID '{id}'. Experiment ID must be a valid integer."
        ))
    })
}

/// Checks the form of a run's id.
pub(super) fn check_run_id(id: &str) -> Result<(), TrackingError> {
    let is_word =
        |character: char| character.is_alphanumeric() || character == '_' || character == '-';
    let is_id = id
        .chars()
        .next()
        .is_some_and(|first| first.is_ascii_alphanumeric())
        && id.chars().all(is_word)
        && id.len() <= 256;
    if is_id {
        return Ok(());
    }
    let value = serde_json::Value::from(id);
    Err(TrackingError::invalid(format!(
        "Invalid value {value} for parameter 'run_id' supplied."
    )))
}

/// Checks the name of a registered model.
pub(super) fn check_model_name(name: &str, parameter: &str) -> Result<(), TrackingError> {
    if name.trim().is_empty() {
        return Err(TrackingError::invalid(format!(
            "Missing value for required parameter '{parameter}'."
        )));
    }
    if name.contains(['/', ':']) {
        return Err(TrackingError::invalid(format!(
            "Invalid model name '{name}'. Names cannot contain '/' or ':'."
        )));
    }
    if !is_normal_path(name) {
        let why = "Names may be treated as files in certain cases, and must not resolve to other names when treated as such.";
        return Err(invalid_value("name", name, why));
    }
    check_length("name", name, MODEL_NAME_CHARS)
}

/// Checks the version of a registered model and returns its number.
pub fn version_number(version: &str) -> Result<i64, TrackingError> {
    version.trim().parse().map_err(|_| {
        let value = serde_json::Value::from(version);
        TrackingError::invalid(format!(
            "Parameter 'version' must be an integer, got {value}"
        ))
    })
}

/// Refuses an alias that is empty, too long, or has other characters than letters, digits, `_` and `-`.
pub(super) fn check_alias(alias: &str) -> Result<(), TrackingError> {
    if alias.is_empty() {
        return Err(TrackingError::invalid(
            "Registered model alias name cannot be empty.",
        ));
    }
    if !alias
        .chars()
        .all(|character| character.is_alphanumeric() || character == '_' || character == '-')
    {
        return Err(TrackingError::invalid(format!(
            "Invalid alias name: '{alias}'. Names may only contain alphanumerics, underscores (_), and dashes (-)."
        )));
    }
    check_length("Registered model alias name", alias, ALIAS_CHARS)
}

/// Checks that an alias is not one with a meaning of its own.
pub(super) fn check_alias_is_free(alias: &str) -> Result<(), TrackingError> {
    if alias.eq_ignore_ascii_case("latest") {
        return Err(TrackingError::invalid(
            "'latest' alias name (case insensitive) is reserved.",
        ));
    }
    let is_version = alias.strip_prefix(['v', 'V']).is_some_and(|digits| {
        !digits.is_empty() && digits.chars().all(|digit| digit.is_ascii_digit())
    });
    if is_version {
        return Err(TrackingError::invalid(format!(
            "Version alias name '{alias}' is reserved."
        )));
    }
    Ok(())
}

/// Checks the name of a logged model.
pub(super) fn check_logged_model_name(name: &str) -> Result<(), TrackingError> {
    if name.is_empty() || name.contains(['/', ':', '.', '%', '"', '\'']) {
        return Err(TrackingError::invalid(format!(
            "Invalid model name ('{name}') provided. Model name must be a non-empty string and cannot contain the following characters: \
             ('/', ':', '.', '%', '\"', \"'\")"
        )));
    }
    Ok(())
}

/// Returns a name for a run that has none: an adjective, an animal and a number, from random bytes.
pub(super) fn invented_name(random: [u8; 4]) -> String {
    const ADJECTIVES: [&str; 16] = [
        "able", "brisk", "calm", "daring", "eager", "fair", "gentle", "honest", "keen", "lively",
        "merry", "nimble", "patient", "quiet", "steady", "upright",
    ];
    const ANIMALS: [&str; 16] = [
        "badger", "crane", "dolphin", "egret", "falcon", "gecko", "heron", "ibex", "jackdaw",
        "lynx", "marten", "newt", "otter", "plover", "seal", "wren",
    ];
    let number = u16::from_be_bytes([random[2], random[3]]) % 1000;
    format!(
        "{}-{}-{number}",
        ADJECTIVES[usize::from(random[0] % 16)],
        ANIMALS[usize::from(random[1] % 16)]
    )
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn tag(name: &str, value: &str) -> KeyValue {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn keys_are_relative_paths_in_their_shortest_form() {
        let check = |name: &str| check_registry_tags(&[tag(name, "")]).is_ok();
        for name in [
            "a",
            "val/loss",
            "a.b-c_d:e f",
            "größe",
            &"k".repeat(KEY_CHARS),
        ] {
            assert!(check(name), "{name}");
        }
        for name in [
            "",
            "/a",
            "a/",
            "a//b",
            "a/../b",
            "./a",
            "..",
            "a\nb",
            "a;b",
            &"k".repeat(KEY_CHARS + 1),
        ] {
            assert!(!check(name), "{name}");
        }
    }

    #[test]
    fn long_values_are_cut_between_characters() {
        let long = "ü".repeat(PARAM_CHARS + 1);
        let kept = checked_params(vec![tag("p", &long)], |_| String::new()).unwrap();
        assert_eq!(kept[0].1.chars().count(), PARAM_CHARS);
        let kept = checked_tags(vec![tag("t", &"x".repeat(TAG_CHARS))], |_| String::new()).unwrap();
        assert_eq!(kept[0].1.len(), TAG_CHARS);
        let over = tag("t", &"x".repeat(EXPERIMENT_TAG_CHARS + 1));
        assert!(check_experiment_tags(std::slice::from_ref(&over)).is_err());
        assert!(check_registry_tags(&[over]).is_ok());
    }

    #[test]
    fn a_batch_has_limits_and_each_parameter_once() {
        let params = |n: usize| {
            (0..n)
                .map(|i| tag(&format!("p{i}"), ""))
                .collect::<Vec<_>>()
        };
        assert!(check_batch(BATCH_METRICS, &[], 0).is_ok());
        assert!(check_batch(BATCH_METRICS + 1, &[], 0).is_err());
        assert!(check_batch(0, &params(BATCH_PARAMS), 0).is_ok());
        assert!(check_batch(0, &params(BATCH_PARAMS + 1), 0).is_err());
        assert!(check_batch(0, &[], BATCH_PARAMS + 1).is_err());
        assert!(check_batch(BATCH_METRICS, &params(1), 0).is_err(), "in all");
        let twice = [tag("a", "1"), tag("b", "1"), tag("a", "2")];
        let error = check_batch(0, &twice, 0).unwrap_err().to_string();
        assert!(error.contains("['a']"), "{error}");
    }

    #[test]
    fn models_aliases_and_ids_have_their_own_forms() {
        for name in ["churn", "a b", "v1.2"] {
            assert!(check_model_name(name, "name").is_ok(), "{name}");
        }
        for name in ["", "  ", "a/b", "a:b", "..", "."] {
            assert!(check_model_name(name, "name").is_err(), "{name}");
        }
        for alias in ["champion", "a-b_1"] {
            assert!(check_alias(alias).is_ok() && check_alias_is_free(alias).is_ok());
        }
        for alias in ["", "a b", "a.b", &"a".repeat(ALIAS_CHARS + 1)] {
            assert!(check_alias(alias).is_err(), "{alias}");
        }
        for alias in ["latest", "LATEST", "v1", "V12"] {
            assert!(check_alias_is_free(alias).is_err(), "{alias}");
        }
        for id in ["0123456789abcdef0123456789abcdef", "run-1_b"] {
            assert!(check_run_id(id).is_ok(), "{id}");
        }
        for id in ["", "-a", "a/b", "a b", &"a".repeat(257)] {
            assert!(check_run_id(id).is_err(), "{id}");
        }
        assert_eq!(experiment_number("12").unwrap(), 12);
        assert!(experiment_number("1.0").is_err());
        assert_eq!(version_number(" 3 ").unwrap(), 3);
        assert!(version_number("three").is_err());
        assert!(check_logged_model_name("m-1").is_ok());
        assert!(check_logged_model_name("a.b").is_err());
    }

    #[test]
    fn files_of_an_experiment_are_not_put_above_or_behind_a_question() {
        for location in ["s3://bucket/a", "mlflow-artifacts:/1"] {
            assert!(check_artifact_location(location).is_ok(), "{location}");
        }
        for location in [
            "runs:/1/a",
            "s3://b/../c",
            "s3://b/a?x",
            "s3://b/a#x",
            "s3://b\\a",
        ] {
            assert!(check_artifact_location(location).is_err(), "{location}");
        }
    }

    #[test]
    fn invented_names_are_of_their_bytes() {
        assert_eq!(invented_name([0, 0, 0, 7]), "able-badger-7");
        assert_eq!(invented_name([15, 31, 3, 232]), "upright-wren-0");
    }
}
