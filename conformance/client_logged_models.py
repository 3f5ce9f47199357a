"""Logged models of MLflow 3: create, finalize, params, tags, metrics, search, artifacts, delete."""

import math
import os

from mlflow.entities import Metric
from transcript import label

UNKNOWN = "m-" + "0" * 32
BAD_NAMES = ["a/b", "a:b", "a.b", "a%b", 'a"b', "a'b", " ", "n" * 500, "n" * 501]


def run(script):
    """Runs the section, when the client knows logged models."""
    step, client = script.section("logged models"), script.client
    if not hasattr(client, "create_logged_model"):
        return
    experiment = step(
        "create experiment", lambda: client.create_experiment("logged models"), kind="experiment"
    )
    run_id = step(
        "create run", lambda: client.create_run(experiment, 1000, run_name="source run").info.run_id
    )
    model_id = create(step, client, experiment, run_id)
    finalize(step, client, experiment)
    params_and_tags(step, client, model_id)
    metrics(step, client, run_id, model_id)
    artifacts(step, client, model_id, script)
    search(step, client, experiment, run_id)
    delete(step, client, experiment, model_id)
    register(step, client, experiment, run_id)


def create(step, client, experiment, run_id):
    """Creates logged models."""
    # Invented names are kept out of the experiment that is searched by name.
    other = step(
        "create other experiment", lambda: client.create_experiment("unnamed models"), kind="experiment"
    )
    step("create with nothing", lambda: client.create_logged_model(other))
    step("create with an empty name", lambda: client.create_logged_model(other, ""))
    step("create with a name", lambda: client.create_logged_model(experiment, "named"))
    step("create with the same name", lambda: client.create_logged_model(experiment, "named"))
    made = step(
        "create with everything",
        lambda: client.create_logged_model(
            experiment, "full", run_id, {"a": "1", "empty": ""}, {"depth": "3", "text": "ü"}, "classifier"
        ),
    )
    for name in BAD_NAMES:
        step(
            f"create with name {label(name)}", lambda name=name: client.create_logged_model(experiment, name)
        )
    step("create in an unknown experiment", lambda: client.create_logged_model("987654321", "x"))
    step("create of an unknown run", lambda: client.create_logged_model(experiment, "x", "0" * 32))
    step(
        "create with a long param",
        lambda: client.create_logged_model(experiment, "long param", params={"p": "v" * 6001}),
    )
    step(
        "create with a long key",
        lambda: client.create_logged_model(experiment, "long key", params={"p" * 251: "v"}),
    )
    step(
        "create with many params",
        lambda: len(
            client.create_logged_model(experiment, "many", params={f"p{n}": "1" for n in range(250)}).params
        ),
    )
    step(
        "create with a bad tag", lambda: client.create_logged_model(experiment, "bad tag", tags={"a=b": "1"})
    )
    model_id = made.model_id if made else UNKNOWN
    step("get", lambda: client.get_logged_model(model_id))
    step("get unknown", lambda: client.get_logged_model(UNKNOWN))
    step("get malformed", lambda: client.get_logged_model("x"))
    step("get empty", lambda: client.get_logged_model(""))
    return model_id


def finalize(step, client, experiment):
    """Moves models between their states."""
    made = step("create for states", lambda: client.create_logged_model(experiment, "states"))
    model_id = made.model_id if made else UNKNOWN
    for position, status in enumerate(("READY", "FAILED", "PENDING", "READY", "SLEEPING")):
        step(
            f"finalize {position} as {status}",
            lambda status=status: client.finalize_logged_model(model_id, status),
        )
    step("finalize unknown", lambda: client.finalize_logged_model(UNKNOWN, "READY"))
    step("get finalized", lambda: client.get_logged_model(model_id))


def params_and_tags(step, client, model_id):
    """Params are written once, tags may change."""
    step("log params", lambda: client.log_model_params(model_id, {"rate": "0.1", "kind": "tree"}))
    step("log the same params", lambda: client.log_model_params(model_id, {"rate": "0.1"}))
    step("log changed params", lambda: client.log_model_params(model_id, {"rate": "0.2"}))
    step("log a number as param", lambda: client.log_model_params(model_id, {"number": 3}))
    step("log a bad param key", lambda: client.log_model_params(model_id, {"a=b": "1"}))
    step("log no params", lambda: client.log_model_params(model_id, {}))
    step("log params of unknown", lambda: client.log_model_params(UNKNOWN, {"a": "b"}))
    step(
        "set tags",
        lambda: client.set_logged_model_tags(model_id, {"team": "risk", "a": "2", "größe": "χ", "a/b": "x"}),
    )
    step("set number tag", lambda: client.set_logged_model_tags(model_id, {"number": 3}))
    step("set bad tag", lambda: client.set_logged_model_tags(model_id, {"a=b": "1"}))
    step("set long tag", lambda: client.set_logged_model_tags(model_id, {"long": "v" * 8001}))
    step("set tags of unknown", lambda: client.set_logged_model_tags(UNKNOWN, {"a": "b"}))
    step("delete tag", lambda: client.delete_logged_model_tag(model_id, "team"))
    step("delete tag twice", lambda: client.delete_logged_model_tag(model_id, "team"))
    step("delete tag with a slash", lambda: client.delete_logged_model_tag(model_id, "a/b"))
    step("delete long tag", lambda: client.delete_logged_model_tag(model_id, "long"))
    step("delete tag of unknown", lambda: client.delete_logged_model_tag(UNKNOWN, "a"))
    step("get with params and tags", lambda: client.get_logged_model(model_id))


def metrics(step, client, run_id, model_id):
    """Metrics of runs that name a model."""
    step("log metric of model", lambda: client.log_metric(run_id, "auc", 0.75, 1000, 0, model_id=model_id))
    step(
        "log later metric of model",
        lambda: client.log_metric(run_id, "auc", 0.875, 2000, 1, model_id=model_id),
    )
    step(
        "log metric of model and dataset",
        lambda: client.log_metric(
            run_id, "auc", 0.5, 3000, 2, model_id=model_id, dataset_name="train", dataset_digest="abc"
        ),
    )
    step(
        "log another metric at the same time and step",
        lambda: client.log_metric(run_id, "auc", 0.25, 1000, 0, model_id=model_id),
    )
    step(
        "log batch of model",
        lambda: client.log_batch(
            run_id,
            [
                Metric("loss", 1.5, 1000, 0, model_id=model_id),
                Metric("nan", math.nan, 1000, 0, model_id=model_id),
            ],
        ),
    )
    step(
        "log metric of unknown model",
        lambda: client.log_metric(run_id, "auc", 0.75, 1000, 0, model_id=UNKNOWN),
    )
    step("metrics of the model", lambda: sorted_metrics(client.get_logged_model(model_id).metrics))
    step("metrics of the run", lambda: client.get_run(run_id).data.metrics)
    step("history of the run", lambda: client.get_metric_history(run_id, "auc"))


def sorted_metrics(found):
    """Sorts metrics of a model, as the API gives no order."""
    return sorted(found or [], key=lambda metric: (metric.key, metric.step, str(metric.dataset_name)))


def artifacts(step, client, model_id, script):
    """Files of a model."""
    from mlflow.artifacts import download_artifacts

    directory = script.new_directory("logged model")
    (directory / "inner").mkdir()
    (directory / "a.txt").write_text("a", encoding="utf-8")
    (directory / "inner" / "ü b.txt").write_text("b", encoding="utf-8")
    step("list no artifacts", lambda: client.list_logged_model_artifacts(model_id))
    step("log artifact", lambda: client.log_model_artifact(model_id, str(directory / "a.txt")))
    step("log artifacts", lambda: client.log_model_artifacts(model_id, str(directory)))
    step("list artifacts", lambda: client.list_logged_model_artifacts(model_id))
    step("list inner artifacts", lambda: client.list_logged_model_artifacts(model_id, "inner"))
    step("list absent artifacts", lambda: client.list_logged_model_artifacts(model_id, "absent"))
    step("list artifacts above", lambda: client.list_logged_model_artifacts(model_id, "../.."))
    step("list artifacts of unknown", lambda: client.list_logged_model_artifacts(UNKNOWN))
    step("download artifacts", lambda: sorted(os.listdir(download_artifacts(f"models:/{model_id}"))))
    step("download artifacts of unknown", lambda: download_artifacts(f"models:/{UNKNOWN}"))


def search(step, client, experiment, run_id):
    """Every operator and order."""
    filters = [
        None, "", "name = 'named'", "name != 'named'", "name LIKE 'na%'", "name ILIKE 'NA%'", "name IN ('named', 'full')",
        "name NOT IN ('named')", "attributes.name = 'full'", "model_type = 'classifier'", "model_type != 'classifier'",
        "model_type LIKE 'class%'", "status = 'READY'", "status = 'PENDING'", "status != 'READY'",
        "status IN ('READY', 'FAILED')", "source_run_id = 'RUN'", "creation_timestamp > 0", "creation_time > 0",
        "last_updated_timestamp > 0", "last_updated_timestamp < 5", "params.depth = '3'", "params.depth != '3'",
        "params.text LIKE '%ü%'", "params.`depth` = '3'", "params.missing = 'x'", "params.depth IS NULL",
        "params.depth IS NOT NULL", "tags.a = '2'", "tags.a != '2'", "tags.a LIKE '2'", "tags.a ILIKE '2'",
        "tags.a IS NULL", "tags.a IS NOT NULL", "tags.`größe` = 'χ'", "metrics.auc > 0.8", "metrics.auc = 0.875",
        "metrics.auc < 0.6", "metrics.loss >= 1.5", "metrics.missing > 0", "metrics.auc != 0",
        "name = 'full' AND params.depth = '3' AND metrics.auc > 0.8", "model_id = 'x'", "model_id != 'x'",
    ]  # fmt: skip
    bad = [
        "name", "name = full", "name > 'a'", "color = 'red'", "params.depth > '3'", "params.depth = 3", "tags.a = 2",
        "metrics.auc = 'x'", "metrics.auc LIKE 'x'", "name = 'a' OR name = 'b'", "(name = 'a')", "creation_timestamp = 'x'",
        "models.a = 'b'", "name = 'a", ";",
    ]  # fmt: skip
    orders = [
        [("name", True)], [("name", False)], [("creation_timestamp", True)], [("creation_timestamp", False)],
        [("creation_time", True)], [("last_updated_timestamp", True)], [("status", True), ("name", True)],
        [("model_type", True)], [("metrics.auc", True)], [("metrics.auc", False)], [("metrics.missing", True)],
        [("params.depth", True), ("name", False)], [("tags.a", False)], [("color", True)],
        [("", True)], [("metrics.auc", True), ("metrics.auc", False)],
    ]  # fmt: skip

    def names(text=None, **options):
        options.setdefault("order_by", [{"field_name": "creation_timestamp", "ascending": True}])
        return [found.name[:30] for found in client.search_logged_models([experiment], text, **options)]

    for text in filters:
        wanted = text and text.replace("RUN", run_id or "")
        step(f"filter {text}", lambda wanted=wanted: names(wanted))
    for text in bad:
        step(f"bad filter {text}", lambda text=text: names(text))
    for order in orders:
        clauses = [{"field_name": field, "ascending": ascending} for field, ascending in order]
        step(f"order {order}", lambda clauses=clauses: in_order(client, experiment, clauses))
    step("order by id", lambda: ids_are_sorted(client, experiment))
    of_datasets(step, names)
    pages(step, client, experiment)


def in_order(client, experiment, clauses):
    """Returns names in an order."""
    return [found.name[:30] for found in client.search_logged_models([experiment], order_by=clauses)]


def ids_are_sorted(client, experiment):
    """Tells whether an order by the random ids is one."""
    clauses = [{"field_name": "model_id", "ascending": True}]
    ids = [found.model_id for found in client.search_logged_models([experiment], order_by=clauses)]
    return ids == sorted(ids)


def of_datasets(step, names):
    """Searches that look at the metrics of one dataset."""
    train = [{"dataset_name": "train", "dataset_digest": "abc"}]
    other = [{"dataset_name": "other"}]
    step("metric of a dataset", lambda: names("metrics.auc = 0.5", datasets=train))
    step("metric not of the dataset", lambda: names("metrics.auc = 0.875", datasets=train))
    step("metric of another dataset", lambda: names("metrics.auc > 0", datasets=other))
    step("dataset without a name", lambda: names("metrics.auc > 0", datasets=[{"dataset_digest": "abc"}]))
    clause = [
        {"field_name": "metrics.auc", "ascending": False, "dataset_name": "train", "dataset_digest": "abc"}
    ]
    step("order by metric of a dataset", lambda: names("metrics.auc > 0", order_by=clause))


def pages(step, client, experiment):
    """Walks through pages of three."""
    by_time = [{"field_name": "creation_timestamp", "ascending": True}]

    def walk():
        found, token = [], None
        for _ in range(20):
            page = client.search_logged_models(
                [experiment], max_results=3, page_token=token, order_by=by_time
            )
            found.append([item.name[:30] for item in page])
            token = page.token
            if not token:
                break
        return found

    step("pages", walk)
    step("page with a bad token", lambda: client.search_logged_models([experiment], page_token="bad"))
    for size in (0, -1, 1, 50, 51, 1000):
        step(
            f"page of {size}",
            lambda size=size: len(client.search_logged_models([experiment], max_results=size)),
        )
    step("search no experiment", lambda: client.search_logged_models([]))
    step("search an unknown experiment", lambda: client.search_logged_models(["987654321"]))
    step(
        "search entities",
        lambda: client.search_logged_models([experiment], "name = 'named'", order_by=by_time),
    )


def delete(step, client, experiment, model_id):
    """Deletes a model and tries to use it."""
    step("delete", lambda: client.delete_logged_model(model_id))
    step("get deleted", lambda: client.get_logged_model(model_id))
    step("delete twice", lambda: client.delete_logged_model(model_id))
    step("delete unknown", lambda: client.delete_logged_model(UNKNOWN))
    step("finalize deleted", lambda: client.finalize_logged_model(model_id, "READY"))
    step("set tags of deleted", lambda: client.set_logged_model_tags(model_id, {"a": "b"}))
    step("search deleted", lambda: client.search_logged_models([experiment], "name = 'full'"))


def register(step, client, experiment, run_id):
    """Registers a logged model."""
    made = step(
        "create for the registry", lambda: client.create_logged_model(experiment, "registered", run_id)
    )
    model_id = made.model_id if made else UNKNOWN
    step("finalize for the registry", lambda: client.finalize_logged_model(model_id, "READY"))
    step("create registered model", lambda: client.create_registered_model("from logged"))
    step(
        "register by id",
        lambda: client.create_model_version("from logged", f"models:/{model_id}", run_id, model_id=model_id),
    )
    step(
        "register by id alone",
        lambda: client.create_model_version("from logged", f"models:/{model_id}", model_id=model_id),
    )
    step(
        "register unknown id",
        lambda: client.create_model_version("from logged", f"models:/{UNKNOWN}", model_id=UNKNOWN),
    )
    step("get registered", lambda: client.get_model_version("from logged", "1"))
    step("logged model after registering", lambda: client.get_logged_model(model_id))
    step("download uri", lambda: client.get_model_version_download_uri("from logged", "1"))
