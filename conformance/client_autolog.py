"""Automatic logging of scikit-learn and of LightGBM: fixed seeds, little data, one thread.

Computed numbers are rounded, because processors differ in the last digits.
"""

import json

import mlflow
import numpy

DIGITS = 5


def run(script):
    """Runs the section."""
    step, client = script.section("autolog"), script.client
    step("set experiment", lambda: mlflow.set_experiment("autolog"))
    generic(step, client)
    sklearn_classifier(step, client, script)
    sklearn_search(step, client)
    sklearn_pipeline(step, client)
    lightgbm_booster(step, client)
    lightgbm_estimator(step, client)


def data():
    """Returns a small table with two classes."""
    generator = numpy.random.RandomState(1)
    rows = generator.rand(80, 3)
    return rows, (rows.sum(axis=1) + generator.rand(80) > 2).astype(int)


def last_run(client):
    """Returns the newest run, with what version 2 packs into a tag unpacked."""
    found = client.get_run(mlflow.last_active_run().info.run_id)
    history = found.data.tags.get("mlflow.log-model.history")
    if history:
        found.data.tags["mlflow.log-model.history"] = [
            entry["artifact_path"] for entry in json.loads(history)
        ]
    return found


def data_of(found):
    """Returns params, metrics and the tags of a run; the tag of metric information has no order."""
    return {
        "params": found.data.params,
        "metrics": found.data.metrics,
        "tags": found.data.tags,
        "inputs": found.inputs,
    }


def artifact_paths(client, run_id, path=None):
    """Returns the paths of all files of a run."""
    paths = []
    for item in client.list_artifacts(run_id, path):
        paths += artifact_paths(client, run_id, item.path) if item.is_dir else [item.path]
    return paths


def record(step, client, name, train):
    """Runs a training and records what became of it."""
    step(f"{name} train", train)
    step(f"{name} run", lambda: data_of(last_run(client)), digits=DIGITS)
    step(f"{name} status", lambda: last_run(client).info.status)
    step(f"{name} artifacts", lambda: artifact_paths(client, last_run(client).info.run_id))


def sklearn_classifier(step, client, script):
    """One classifier, with its model and later scores."""
    from sklearn.metrics import accuracy_score
    from sklearn.tree import DecisionTreeClassifier

    rows, classes = data()
    mlflow.sklearn.autolog(log_input_examples=True, registered_model_name="autologged tree", silent=True)

    def train():
        with mlflow.start_run(run_name="autolog tree"):
            tree = DecisionTreeClassifier(max_depth=2, random_state=0).fit(rows[:60], classes[:60])
            tree.score(rows[60:], classes[60:])
            accuracy_score(classes[60:], tree.predict(rows[60:]))

    record(step, client, "sklearn tree", train)
    step("sklearn tree registered", lambda: client.get_registered_model("autologged tree"))
    step(
        "sklearn tree predict",
        lambda: mlflow.sklearn.load_model("models:/autologged tree/1").predict(rows[:6]),
    )
    if script.major >= 3:
        step("sklearn tree model", lambda: logged_model(client), digits=DIGITS)
    mlflow.sklearn.autolog(disable=True, silent=True)


def logged_model(client):
    """Returns the model that the newest run made, its metrics sorted."""
    model_id = last_run(client).outputs.model_outputs[0].model_id
    model = client.get_logged_model(model_id)
    metrics = sorted(model.metrics or [], key=lambda metric: metric.key)
    return {
        "name": model.name,
        "params": model.params,
        "metrics": metrics,
        "tags": model.tags,
        "status": model.status,
    }


def sklearn_search(step, client):
    """A search over parameters, which makes child runs."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV

    rows, classes = data()
    mlflow.sklearn.autolog(log_models=False, max_tuning_runs=3, silent=True)

    def train():
        with mlflow.start_run(run_name="autolog search"):
            GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0, 10.0]}, cv=2, n_jobs=1).fit(rows, classes)

    record_without_times(step, client, train)
    mlflow.sklearn.autolog(disable=True, silent=True)


def record_without_times(step, client, train):
    """Records a search, whose timings are measured and so replaced."""
    step("sklearn search train", train)
    step("sklearn search run", lambda: timeless(data_of(last_run(client))), digits=DIGITS)
    step(
        "sklearn search children",
        lambda: sorted(
            (timeless(data_of(child))["params"]["C"], sorted(child.data.metrics))
            for child in client.search_runs(
                [last_run(client).info.experiment_id],
                f"tags.mlflow.parentRunId = '{last_run(client).info.run_id}'",
            )
        ),
    )


def timeless(fields):
    """Replaces measured durations."""
    fields["metrics"] = {
        key: "<duration>" if key.endswith("_time") else value for key, value in fields["metrics"].items()
    }
    return fields


def sklearn_pipeline(step, client):
    """A pipeline without a surrounding run."""
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows, _ = data()
    mlflow.sklearn.autolog(
        log_models=False, log_datasets=False, extra_tags={"source": "pipeline"}, silent=True
    )
    record(
        step,
        client,
        "sklearn pipeline",
        lambda: bool(make_pipeline(StandardScaler(), Ridge()).fit(rows, rows[:, 0])),
    )
    mlflow.sklearn.autolog(disable=True, silent=True)


def lightgbm_booster(step, client):
    """Training by `lightgbm.train` with an evaluation per round."""
    import lightgbm

    rows, classes = data()
    mlflow.lightgbm.autolog(silent=True, log_models=True)
    parameters = {
        "objective": "binary", "metric": ["binary_logloss", "auc"], "num_threads": 1, "verbose": -1, "seed": 0,
        "deterministic": True, "min_data_in_leaf": 5,
    }  # fmt: skip

    def train():
        training = lightgbm.Dataset(rows[:60], classes[:60], feature_name=["a", "b", "c"])
        validation = lightgbm.Dataset(rows[60:], classes[60:], reference=training)
        with mlflow.start_run(run_name="autolog booster"):
            lightgbm.train(
                parameters, training, num_boost_round=5, valid_sets=[validation], valid_names=["check"]
            )

    record(step, client, "lightgbm booster", train)
    step(
        "lightgbm booster history",
        lambda: [
            [point.step, point.value]
            for point in client.get_metric_history(last_run(client).info.run_id, "check-auc")
        ],
        digits=DIGITS,
    )
    mlflow.lightgbm.autolog(disable=True, silent=True)


def lightgbm_estimator(step, client):
    """The estimator with the interface of scikit-learn."""
    import lightgbm

    rows, classes = data()
    mlflow.lightgbm.autolog(silent=True, log_models=False)

    def train():
        with mlflow.start_run(run_name="autolog estimator"):
            lightgbm.LGBMClassifier(
                n_estimators=3, n_jobs=1, verbose=-1, random_state=0, min_child_samples=5
            ).fit(rows, classes)

    record(step, client, "lightgbm estimator", train)
    mlflow.lightgbm.autolog(disable=True, silent=True)


def generic(step, client):
    """The switch for all libraries at once."""
    from sklearn.naive_bayes import GaussianNB

    rows, classes = data()
    mlflow.autolog(log_models=False, log_datasets=False, silent=True)

    def train():
        with mlflow.start_run(run_name="autolog everything"):
            GaussianNB().fit(rows, classes)

    record(step, client, "autolog of everything", train)
    mlflow.autolog(disable=True, silent=True)
