"""Datasets as inputs of runs, and models as inputs and outputs of runs."""

import mlflow
from mlflow.entities import Dataset, DatasetInput, InputTag

UNKNOWN = "0" * 32


def run(script):
    """Runs the section."""
    step, client = script.section("inputs"), script.client
    experiment = step("create experiment", lambda: client.create_experiment("inputs"), kind="experiment")
    log_inputs(step, client, experiment)
    lengths(step, client, experiment)
    of_pandas_and_numpy(step, experiment)
    if script.major >= 3:
        models_as_inputs_and_outputs(step, client, experiment)


def new_run(step, client, experiment, name):
    """Creates a run for one part of the section."""
    made = step(f"create run {name}", lambda: client.create_run(experiment, start_time=1000, run_name=name))
    return made.info.run_id if made else UNKNOWN


def dataset_input(name, digest, context=None, **fields):
    """Makes a dataset input with plain values."""
    values = {
        "source_type": "local",
        "source": '{"uri": "a.csv"}',
        "schema": '{"s": 1}',
        "profile": '{"p": 1}',
    }
    tags = [InputTag("mlflow.data.context", context)] if context is not None else []
    return DatasetInput(Dataset(name, digest, **{**values, **fields}), tags)


def inputs_of(client, run_id):
    """Returns the datasets of a run, sorted by name and digest, as the API gives no order."""
    found = client.get_run(run_id).inputs.dataset_inputs
    return sorted(found, key=lambda item: (item.dataset.name, item.dataset.digest))


def log_inputs(step, client, experiment):
    """Links datasets to runs."""
    first = new_run(step, client, experiment, "inputs run")
    second = new_run(step, client, experiment, "second inputs run")
    train = dataset_input("train", "abc", "training")
    step("log one", lambda: client.log_inputs(first, [train]))
    step("get one", lambda: inputs_of(client, first))
    step("log the same again", lambda: client.log_inputs(first, [train]))
    step("get after the same", lambda: inputs_of(client, first))
    step(
        "log with another context",
        lambda: client.log_inputs(first, [dataset_input("train", "abc", "evaluation")]),
    )
    step("get with another context", lambda: inputs_of(client, first))
    step(
        "log the same with another source",
        lambda: client.log_inputs(first, [dataset_input("train", "abc", source='{"uri": "b.csv"}')]),
    )
    step("get with another source", lambda: inputs_of(client, first))
    step(
        "log several",
        lambda: client.log_inputs(first, [dataset_input("test", "def"), dataset_input("train", "ghi", "x")]),
    )
    step("get several", lambda: inputs_of(client, first))
    step("log to the second run", lambda: client.log_inputs(second, [train]))
    step("get of the second run", lambda: inputs_of(client, second))
    step(
        "log twice in one call",
        lambda: client.log_inputs(second, [dataset_input("twice", "1"), dataset_input("twice", "1")]),
    )
    step("log nothing", lambda: client.log_inputs(second, []))
    step(
        "log without schema and profile",
        lambda: client.log_inputs(second, [dataset_input("bare", "1", schema=None, profile=None)]),
    )
    step("get without schema and profile", lambda: inputs_of(client, second))
    many = DatasetInput(
        Dataset("tagged", "1", "local", "{}"), [InputTag("a", "1"), InputTag("b", ""), InputTag("ü", "χ")]
    )
    step("log with tags", lambda: client.log_inputs(second, [many]))
    step(
        "tags of the input",
        lambda: [sorted([tag.key, tag.value] for tag in item.tags) for item in inputs_of(client, second)],
    )
    step("log to an unknown run", lambda: client.log_inputs(UNKNOWN, [train]))
    step("delete the second run", lambda: client.delete_run(second))
    step("log to a deleted run", lambda: client.log_inputs(second, [dataset_input("late", "1")]))
    step(
        "found by search",
        lambda: [
            found.info.run_name for found in client.search_runs([experiment], "datasets.name = 'train'")
        ],
    )


def lengths(step, client, experiment):
    """Values at and past their lengths."""
    run_id = new_run(step, client, experiment, "lengths run")
    cases = {
        "name of 500": dataset_input("n" * 500, "1"),
        "name of 501": dataset_input("n" * 501, "1"),
        "digest of 36": dataset_input("d", "d" * 36),
        "digest of 37": dataset_input("d", "d" * 37),
        "source of 65535": dataset_input("s", "1", source="s" * 65535),
        "source of 65536": dataset_input("s", "2", source="s" * 65536),
        "schema of 1048575": dataset_input("c", "1", schema="c" * 1048575),
        "schema of 1048576": dataset_input("c", "2", schema="c" * 1048576),
        "empty name": dataset_input("", "1"),
        "empty digest": dataset_input("e", ""),
        "empty source type": dataset_input("f", "1", source_type=""),
        "empty source": dataset_input("g", "1", source=""),
        "tag key of 255": DatasetInput(Dataset("t", "1", "local", "{}"), [InputTag("k" * 255, "v")]),
        "tag key of 256": DatasetInput(Dataset("t", "2", "local", "{}"), [InputTag("k" * 256, "v")]),
        "tag value of 500": DatasetInput(Dataset("t", "3", "local", "{}"), [InputTag("k", "v" * 500)]),
        "tag value of 501": DatasetInput(Dataset("t", "4", "local", "{}"), [InputTag("k", "v" * 501)]),
    }
    for name, item in cases.items():
        step(f"log {name}", lambda item=item: client.log_inputs(run_id, [item]))
    step(
        "names at the end",
        lambda: [[len(item.dataset.name), len(item.dataset.digest)] for item in inputs_of(client, run_id)],
    )


def of_pandas_and_numpy(step, experiment):
    """Datasets that the client describes itself."""
    import numpy
    import pandas

    mlflow.set_experiment(experiment_id=experiment)
    frame = pandas.DataFrame({"a": [1, 2, 3], "b": ["x", "y", "z"], "y": [0.5, 1.0, 1.5]})

    def logged():
        with mlflow.start_run(run_name="described datasets") as active:
            mlflow.log_input(
                mlflow.data.from_pandas(frame, source="data.csv", name="frame", targets="y"), "training"
            )
            mlflow.log_input(
                mlflow.data.from_numpy(numpy.arange(6.0).reshape(3, 2), source="a.npy", name="array"), "test"
            )
            mlflow.log_input(mlflow.data.from_pandas(frame), tags={"purpose": "check"})
        return active.info.run_id

    run_id = step("log described datasets", logged)
    step("get described datasets", lambda: inputs_of(mlflow.MlflowClient(), run_id))
    step(
        "source of a described dataset",
        lambda: type(mlflow.data.get_source(inputs_of(mlflow.MlflowClient(), run_id)[0])).__name__,
    )


def models_as_inputs_and_outputs(step, client, experiment):
    """Links between runs and logged models (client 3)."""
    from mlflow.entities import LoggedModelInput, LoggedModelOutput

    run_id = new_run(step, client, experiment, "linked run")
    made = step("create model", lambda: client.create_logged_model(experiment, "linked", run_id))
    model_id = made.model_id if made else "m-" + UNKNOWN
    step("log outputs", lambda: client.log_outputs(run_id, [LoggedModelOutput(model_id, step=3)]))
    step("log the same outputs", lambda: client.log_outputs(run_id, [LoggedModelOutput(model_id, step=3)]))
    step(
        "log outputs at another step",
        lambda: client.log_outputs(run_id, [LoggedModelOutput(model_id, step=4)]),
    )
    step("get outputs", lambda: client.get_run(run_id).outputs)
    step(
        "log outputs of an unknown model",
        lambda: client.log_outputs(run_id, [LoggedModelOutput("m-" + UNKNOWN, 0)]),
    )
    step(
        "log outputs of an unknown run", lambda: client.log_outputs(UNKNOWN, [LoggedModelOutput(model_id, 0)])
    )
    step("log no outputs", lambda: client.log_outputs(run_id, []))
    reader = new_run(step, client, experiment, "reading run")
    step("log model input", lambda: client.log_inputs(reader, models=[LoggedModelInput(model_id)]))
    step("log the same model input", lambda: client.log_inputs(reader, models=[LoggedModelInput(model_id)]))
    step("get model input", lambda: client.get_run(reader).inputs)
    step(
        "log both",
        lambda: client.log_inputs(reader, [dataset_input("both", "1")], [LoggedModelInput(model_id)]),
    )
    step("get both", lambda: client.get_run(reader).inputs)
    step(
        "log unknown model input",
        lambda: client.log_inputs(reader, models=[LoggedModelInput("m-" + UNKNOWN)]),
    )
    step("linked model", lambda: client.get_logged_model(model_id))
