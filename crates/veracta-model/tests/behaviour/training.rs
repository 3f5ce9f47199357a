//! Training: the same bytes on any number of threads, a round trip through them, missing values, categories and refusals.

use veracta_data::table::{MISSING, Table, Values};
use veracta_model::model::{Batch, Input, Model, ModelError, describe_inputs, encode};
use veracta_model::training::{BoostingParameters, LogisticParameters, TrainingSpec, fit};

use crate::samples::{Sample, few_trees, label, numeric};

const N_ROWS: usize = 400;

/// Returns each algorithm, boosting with everything that draws random numbers.
fn specs() -> [TrainingSpec; 2] {
    let boosting = BoostingParameters {
        rounds: 20,
        subsample: 0.8,
        colsample_bytree: 0.8,
        ..BoostingParameters::default()
    };
    [
        TrainingSpec::GradientBoosting(boosting),
        TrainingSpec::LogisticRegression(LogisticParameters::default()),
    ]
}

fn on_threads<R: Send>(n_threads: usize, work: impl FnOnce() -> R + Send) -> R {
    rayon::ThreadPoolBuilder::new()
        .num_threads(n_threads)
        .build()
        .unwrap()
        .install(work)
}

fn is_probability(score: &f64) -> bool {
    (0.0..=1.0).contains(score)
}

#[test]
fn threads_do_not_change_a_byte() {
    let sample = Sample::draw(11, N_ROWS);
    let matrix = sample.matrix();
    for spec in specs() {
        let train = |n_threads: usize| {
            on_threads(n_threads, || {
                let predictor = sample.fit(&spec);
                (
                    predictor.to_own_bytes().unwrap(),
                    predictor.probabilities(&matrix).unwrap(),
                )
            })
        };
        let single = train(1);
        for n_threads in [2, 8] {
            assert!(
                train(n_threads) == single,
                "{n_threads} threads give another model of {spec:?}"
            );
        }
    }
}

#[test]
fn the_seed_of_boosting_changes_its_trees() {
    let sample = Sample::draw(11, N_ROWS);
    let train = |seed: u64| {
        let parameters = BoostingParameters {
            rounds: 5,
            subsample: 0.5,
            seed,
            ..BoostingParameters::default()
        };
        sample
            .fit(&TrainingSpec::GradientBoosting(parameters))
            .to_own_bytes()
            .unwrap()
    };
    assert!(train(1) == train(1));
    assert!(train(1) != train(2));
}

#[test]
fn bytes_read_back_predict_and_explain_the_same() {
    let sample = Sample::draw(12, N_ROWS);
    let matrix = sample.matrix();
    for spec in specs() {
        let predictor = sample.fit(&spec);
        let bytes = predictor.to_own_bytes().unwrap();
        let read = Model::from_own_bytes(&bytes).unwrap();
        assert!(
            read.to_own_bytes().unwrap() == bytes,
            "the bytes of {} are canonical",
            predictor.kind()
        );
        assert_eq!(
            (&read.signature.inputs, &read.signature.label, read.kind()),
            (
                &predictor.signature.inputs,
                &predictor.signature.label,
                predictor.kind()
            )
        );
        assert_eq!(
            read.probabilities(&matrix).unwrap(),
            predictor.probabilities(&matrix).unwrap()
        );
        assert_eq!(read.explain(&matrix), predictor.explain(&matrix));
    }
}

#[test]
fn a_model_beats_chance_and_gives_probabilities() {
    let (train, test) = (Sample::draw(13, N_ROWS), Sample::draw(14, N_ROWS));
    for spec in specs() {
        let scores = train.fit(&spec).probabilities(&test.matrix()).unwrap();
        assert!(scores.iter().all(is_probability));
        let n_right = scores
            .iter()
            .zip(&test.labels)
            .filter(|(score, label)| (**score >= 0.5) == **label)
            .count();
        assert!(
            n_right * 10 >= N_ROWS * 7,
            "{n_right} of {N_ROWS} are right with {spec:?}"
        );
    }
}

#[test]
fn missing_values_and_unknown_categories_are_predicted_alike() {
    let sample = Sample::draw(15, N_ROWS);
    let inputs = sample.inputs();
    let with_colour = |colour: Option<&str>| {
        let mut table = sample.table.select_rows(&[0]);
        if let Values::Coded(coded) = &mut table.columns[2].values {
            coded.codes[0] = if colour.is_some() { 0 } else { MISSING };
            coded.levels = colour.into_iter().map(str::to_owned).collect();
        }
        encode(&table, &inputs).unwrap()
    };
    let nothing = Batch {
        values: vec![f64::NAN; inputs.len()],
        n_rows: 1,
        n_columns: inputs.len(),
    };
    for spec in specs() {
        let predictor = sample.fit(&spec);
        assert_eq!(
            predictor
                .probabilities(&with_colour(Some("purple")))
                .unwrap(),
            predictor.probabilities(&with_colour(None)).unwrap()
        );
        assert!(
            predictor
                .probabilities(&nothing)
                .unwrap()
                .iter()
                .all(is_probability)
        );
    }
}

#[test]
fn rare_categories_are_missing() {
    let sample = Sample::draw(16, N_ROWS);
    let columns = [&sample.table.columns[2]];
    let rows: Vec<usize> = (0..N_ROWS).collect();
    let inputs = describe_inputs(&columns, &rows, 2);
    assert_eq!(inputs[0].levels.as_ref().unwrap().len(), 2);
    let matrix = encode(&sample.table, &inputs).unwrap();
    assert!(
        matrix
            .values
            .iter()
            .all(|value| value.is_nan() || [0.0, 1.0].contains(value))
    );
    let n_missing = |values: &[f64]| values.iter().filter(|value| value.is_nan()).count();
    let all = encode(&sample.table, &sample.inputs()[2..3]).unwrap();
    assert!(n_missing(&matrix.values) > n_missing(&all.values));
}

#[test]
fn what_cannot_be_trained_is_refused() {
    let sample = Sample::draw(17, 20);
    let (inputs, matrix) = (sample.inputs(), sample.matrix());
    for spec in specs() {
        let refusal = |inputs: &[Input], matrix: &Batch, labels: &[bool]| {
            fit(&spec, inputs, &label(), matrix, labels)
                .unwrap_err()
                .to_string()
        };
        let message = "all 20 training rows have the same label; a classifier needs both";
        assert_eq!(refusal(&inputs, &matrix, &[true; 20]), message);
        assert_eq!(refusal(&inputs, &matrix, &[false; 20]), message);
        let nothing = Batch {
            values: Vec::new(),
            n_rows: 20,
            n_columns: 0,
        };
        assert_eq!(
            refusal(&[], &nothing, &sample.labels),
            "there are no inputs to train on"
        );
    }
}

#[test]
fn collinear_columns_need_a_penalty() {
    let sample = Sample::draw(18, N_ROWS);
    let twin = |name: &str| {
        let Values::Numeric(values) = &sample.table.columns[1].values else {
            panic!("`weak` holds numbers")
        };
        numeric(name, values.clone())
    };
    let twins = Sample {
        table: Table {
            columns: vec![twin("first"), twin("second")],
            n_rows: N_ROWS,
            ..Table::default()
        },
        labels: sample.labels.clone(),
    };
    let fit_with = |l2: f64| {
        let spec = TrainingSpec::LogisticRegression(LogisticParameters { l2 });
        fit(
            &spec,
            &twins.inputs(),
            &label(),
            &twins.matrix(),
            &twins.labels,
        )
    };
    let message = "the logistic fit does not exist: the columns are collinear or separate the labels; raise `l2`";
    assert_eq!(fit_with(0.0).unwrap_err().to_string(), message);
    assert!(fit_with(1.0).is_ok());
}

#[test]
fn what_is_no_model_is_refused() {
    let message = |bytes: &[u8]| Model::from_own_bytes(bytes).unwrap_err().to_string();
    let head = r#""label":{"column":"y","positive":"1"},"inputs":[]"#;
    assert_eq!(message(b"{}"), "not a model file of format veracta-model/2");
    let other = format!(r#"{{"format":"x/2",{head}}}"#);
    assert_eq!(
        message(other.as_bytes()),
        "model format `x/2`; this program reads veracta-model/1 and veracta-model/2"
    );
    let empty = format!(r#"{{"format":"veracta-model/1",{head}}}"#);
    assert_eq!(
        message(empty.as_bytes()),
        "a model holds either trees or a logistic model"
    );
    let term = r#"{"input":0,"of":"missing","coefficient":1.0,"mean":0.0}"#;
    let astray = format!(
        r#"{{"format":"veracta-model/1",{head},"logistic":{{"intercept":0.0,"terms":[{term}]}}}}"#
    );
    assert_eq!(
        message(astray.as_bytes()),
        "a model holds either trees or a logistic model"
    );
}

#[test]
fn data_that_lacks_an_input_is_refused() {
    let sample = Sample::draw(19, 20);
    let inputs = sample.inputs();
    let message = |table: &Table| encode(table, &inputs).unwrap_err().to_string();
    let mut lacking = sample.table.clone();
    lacking.columns.remove(0);
    assert_eq!(
        message(&lacking),
        "input `strong` is not in the data; it has weak, colour, extra, noise"
    );
    let mut retyped = sample.table.clone();
    retyped.columns[0].values = retyped.columns[2].values.clone();
    assert!(matches!(
        encode(&retyped, &inputs),
        Err(ModelError::InputType { .. })
    ));
    assert_eq!(
        message(&retyped),
        "input `strong` is text in the data; the model was trained on numbers"
    );
}

#[test]
fn few_rounds_make_few_trees() {
    let predictor = Sample::draw(20, N_ROWS).fit(&few_trees(3));
    assert_eq!(
        predictor.kind(),
        "gradient-boosted decision trees (3 trees)"
    );
}
