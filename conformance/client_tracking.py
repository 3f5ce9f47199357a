"""Runs: create, names, status, tags, params, metrics, batches, delete and restore, parent runs."""

import mlflow
from mlflow.entities import Metric, Param, RunStatus, RunTag
from transcript import label

UNKNOWN = "0" * 32
KEYS = [
    "plain", "with space", "dots.and-dashes_", "slash/inside", "colon:inside", "größe", "日本", "a/../b", "../up",
    "/absolute", "double//slash", "trailing/", ".", "..", "./a", "comma,", "hash#", "quote'", "a=b", "a\tb",
    "100%", "", " ", "k" * 250, "k" * 251,
]  # fmt: skip


def run(script):
    """Runs the section."""
    step, client = script.section("tracking"), script.client
    experiment = step("create experiment", lambda: client.create_experiment("tracking"), kind="experiment")
    create(step, client, experiment)
    names(step, client, experiment)
    status(step, client, experiment)
    params(step, client, experiment)
    tags(step, client, experiment)
    keys(step, client, experiment)
    batches(step, client, experiment)
    delete_and_restore(step, client, experiment)
    nested(step, client, experiment)
    fluent(step, experiment)
    asynchronous(step, client, experiment)


def new_run(step, client, experiment, name, **options):
    """Creates a run for one part of the section."""
    made = step(
        f"create run {name}", lambda: client.create_run(experiment, start_time=1000, run_name=name, **options)
    )
    return made.info.run_id if made else UNKNOWN


def create(step, client, experiment):
    """Creates runs with and without each option."""
    step("create with nothing", lambda: client.create_run(experiment))
    step("create with a start time", lambda: client.create_run(experiment, start_time=123456))
    step("create with a start time of 0", lambda: client.create_run(experiment, start_time=0))
    step("create with a negative start time", lambda: client.create_run(experiment, start_time=-5))
    step(
        "create with tags",
        lambda: client.create_run(
            experiment, start_time=1, tags={"a": "1", "mlflow.user": "alice", "empty": ""}
        ),
    )
    step("create in the default experiment", lambda: client.create_run("0", start_time=1, run_name="in zero"))
    step("create in an unknown experiment", lambda: client.create_run("987654321", start_time=1))
    step("create in experiment abc", lambda: client.create_run("abc", start_time=1))
    step("create with a bad tag", lambda: client.create_run(experiment, start_time=1, tags={"a=b": "1"}))
    step("get an unknown run", lambda: client.get_run(UNKNOWN))
    step("get a malformed run id", lambda: client.get_run("not a run"))
    step("get an empty run id", lambda: client.get_run(""))
    step("get a run id with a path", lambda: client.get_run("../" + UNKNOWN))


def names(step, client, experiment):
    """Run names and the tag that mirrors them."""
    run_id = new_run(step, client, experiment, "named run")
    step("get named", lambda: client.get_run(run_id))
    step("rename", lambda: client.update_run(run_id, name="renamed run"))
    step("get renamed", lambda: client.get_run(run_id))
    step("rename through the tag", lambda: client.set_tag(run_id, "mlflow.runName", "named by tag"))
    step("get named by tag", lambda: client.get_run(run_id))
    step("rename to nothing", lambda: client.update_run(run_id, name=""))
    step("get named nothing", lambda: client.get_run(run_id))
    step("rename to 250 characters", lambda: client.update_run(run_id, name="n" * 250))
    step("rename to 251 characters", lambda: client.update_run(run_id, name="n" * 251))
    step("name after long ones", lambda: len(client.get_run(run_id).info.run_name))
    step("delete the name tag", lambda: client.delete_tag(run_id, "mlflow.runName"))
    step("get without the name tag", lambda: client.get_run(run_id))
    step(
        "create with equal name and tag",
        lambda: client.create_run(experiment, 1, {"mlflow.runName": "same name"}, "same name"),
    )
    step(
        "create with unequal name and tag",
        lambda: client.create_run(experiment, 1, {"mlflow.runName": "other name"}, "one name"),
    )
    step(
        "create with the tag only",
        lambda: client.create_run(experiment, 1, {"mlflow.runName": "tag name only"}),
    )
    step("rename an unknown run", lambda: client.update_run(UNKNOWN, name="x"))


def status(step, client, experiment):
    """Status changes in every direction."""
    run_id = new_run(step, client, experiment, "status run")
    for position, state in enumerate(("SCHEDULED", "RUNNING", "FAILED", "KILLED", "FINISHED", "RUNNING")):
        step(f"status {position} {state}", lambda state=state: client.update_run(run_id, status=state))
        step(f"info {position} {state}", lambda: client.get_run(run_id).info)
    step("update to an unknown status", lambda: client.update_run(run_id, status="SLEEPING"))
    step("update with nothing", lambda: client.update_run(run_id))
    step("update status and name", lambda: client.update_run(run_id, status="FAILED", name="failed run"))
    step("info of status and name", lambda: client.get_run(run_id).info)
    step("terminate with a time", lambda: client.set_terminated(run_id, "FINISHED", end_time=5000))
    step("info of a terminated run", lambda: client.get_run(run_id).info)
    step("terminate without anything", lambda: client.set_terminated(run_id))
    step("info of a run terminated now", lambda: client.get_run(run_id).info)
    step("terminate with a bad status", lambda: client.set_terminated(run_id, "SLEEPING"))
    step("terminate an unknown run", lambda: client.set_terminated(UNKNOWN))
    step("all statuses", lambda: sorted(RunStatus.all_status()))


def params(step, client, experiment):
    """Params are written once."""
    run_id = new_run(step, client, experiment, "params run")
    values = {
        "text": "value", "number": 12, "float": 0.1, "none": None, "boolean": True, "list": [1, 2], "empty": "",
        "unicode": "größe 日本 🙂", "lines": "one\ntwo", "quotes": "'\"`", "spaces": "  x  ",
    }  # fmt: skip
    for key, value in values.items():
        step(f"log param {key}", lambda key=key, value=value: client.log_param(run_id, key, value))
    step("get params", lambda: client.get_run(run_id).data.params)
    step("log param again", lambda: client.log_param(run_id, "text", "value"))
    step("log param with another value", lambda: client.log_param(run_id, "text", "other"))
    step("log param with another letter case", lambda: client.log_param(run_id, "Text", "other"))
    step("log a null byte", lambda: client.log_param(run_id, "null byte", "a\0b"))
    for length in (500, 501, 6000, 6001):
        step(
            f"log param of {length}",
            lambda length=length: len(client.log_param(run_id, f"long {length}", "x" * length)),
        )
    step(
        "lengths of long params",
        lambda: {
            key: len(value) for key, value in client.get_run(run_id).data.params.items() if "long" in key
        },
    )
    step("log param of an unknown run", lambda: client.log_param(UNKNOWN, "a", "b"))
    step("get params at the end", lambda: sorted(client.get_run(run_id).data.params))


def tags(step, client, experiment):
    """Tags may be overwritten and deleted."""
    run_id = new_run(step, client, experiment, "tags run", tags={"from creation": "1"})
    step("set tag", lambda: client.set_tag(run_id, "team", "risk"))
    step("set tag again", lambda: client.set_tag(run_id, "team", "fraud"))
    step("set empty tag", lambda: client.set_tag(run_id, "empty", ""))
    step("set number tag", lambda: client.set_tag(run_id, "number", 1.5))
    step("set none tag", lambda: client.set_tag(run_id, "none", None))
    step("set unicode tag", lambda: client.set_tag(run_id, "unicode", "größe 日本 🙂"))
    step("set note tag", lambda: client.set_tag(run_id, "mlflow.note.content", "# note\n- a"))
    step("set user tag", lambda: client.set_tag(run_id, "mlflow.user", "bob"))
    step("get tags", lambda: client.get_run(run_id))
    for length in (5000, 5001, 8000, 8001):
        step(
            f"set tag of {length}",
            lambda length=length: client.set_tag(run_id, f"long {length}", "x" * length),
        )
    step(
        "lengths of long tags",
        lambda: {key: len(value) for key, value in client.get_run(run_id).data.tags.items() if "long" in key},
    )
    step("delete tag", lambda: client.delete_tag(run_id, "team"))
    step("delete tag twice", lambda: client.delete_tag(run_id, "team"))
    step("delete tag that never was", lambda: client.delete_tag(run_id, "never"))
    step("set tag of an unknown run", lambda: client.set_tag(UNKNOWN, "a", "b"))
    step("delete tag of an unknown run", lambda: client.delete_tag(UNKNOWN, "a"))
    step("tags at the end", lambda: sorted(client.get_run(run_id).data.tags))


def keys(step, client, experiment):
    """Which characters a key may hold."""
    run_id = new_run(step, client, experiment, "keys run")
    for key in KEYS:
        name = label(key)
        step(f"param key {name}", lambda key=key: client.log_param(run_id, key, "v"))
        step(f"tag key {name}", lambda key=key: client.set_tag(run_id, key, "v"))
        step(f"metric key {name}", lambda key=key: client.log_metric(run_id, key, 1.0, 1000, 0))
    step("get keys", lambda: client.get_run(run_id).data)


def batches(step, client, experiment):
    """Batches that are right, wrong in part, and at their limits are in `client_limits.py`."""
    run_id = new_run(step, client, experiment, "batch run")
    step("log empty batch", lambda: client.log_batch(run_id))
    step(
        "log batch",
        lambda: client.log_batch(
            run_id,
            [Metric("m", 1.5, 1000, 0), Metric("m", 2.5, 2000, 1)],
            [Param("p", "1")],
            [RunTag("t", "1")],
        ),
    )
    step("get batch", lambda: client.get_run(run_id))
    step("log batch twice", lambda: client.log_batch(run_id, [Metric("m", 1.5, 1000, 0)], [Param("p", "1")]))
    step("history after a repeat", lambda: client.get_metric_history(run_id, "m"))
    step(
        "log batch changing a param",
        lambda: client.log_batch(run_id, params=[Param("p", "2"), Param("q", "1")]),
    )
    step("params after a refused batch", lambda: client.get_run(run_id).data.params)
    step(
        "log batch naming a param twice",
        lambda: client.log_batch(run_id, params=[Param("d", "1"), Param("d", "2")]),
    )
    step(
        "log batch with equal params",
        lambda: client.log_batch(run_id, params=[Param("e", "1"), Param("e", "1")]),
    )
    step(
        "log batch naming a tag twice",
        lambda: client.log_batch(run_id, tags=[RunTag("u", "1"), RunTag("u", "2")]),
    )
    step(
        "log batch with a bad tag key",
        lambda: client.log_batch(run_id, [], [Param("r", "1")], [RunTag("a=b", "1")]),
    )
    step("log batch with a bad metric key", lambda: client.log_batch(run_id, [Metric("a=b", 1, 1, 0)]))
    step("log batch with a text as metric", lambda: client.log_batch(run_id, [Metric("text", "one", 1, 0)]))
    step(
        "log batch with the name tag",
        lambda: client.log_batch(run_id, tags=[RunTag("mlflow.runName", "batch name")]),
    )
    step("get batch at the end", lambda: client.get_run(run_id))
    step("log batch of an unknown run", lambda: client.log_batch(UNKNOWN, [Metric("m", 1, 1, 0)]))


def delete_and_restore(step, client, experiment):
    """Deletes a run and tries every write on it."""
    run_id = new_run(step, client, experiment, "deleted run")
    step("log before deletion", lambda: client.log_param(run_id, "kept", "1"))
    step("delete", lambda: client.delete_run(run_id))
    step("get deleted", lambda: client.get_run(run_id))
    step("delete twice", lambda: client.delete_run(run_id))
    step("log param to deleted", lambda: client.log_param(run_id, "a", "1"))
    step("log metric to deleted", lambda: client.log_metric(run_id, "a", 1, 1, 0))
    step("set tag of deleted", lambda: client.set_tag(run_id, "a", "1"))
    step("delete tag of deleted", lambda: client.delete_tag(run_id, "mlflow.runName"))
    step("log batch to deleted", lambda: client.log_batch(run_id, [Metric("a", 1, 1, 0)]))
    step("rename deleted", lambda: client.update_run(run_id, name="other"))
    step("terminate deleted", lambda: client.set_terminated(run_id))
    step("list artifacts of deleted", lambda: client.list_artifacts(run_id))
    step("log text to deleted", lambda: client.log_text(run_id, "text", "deleted.txt"))
    step("restore", lambda: client.restore_run(run_id))
    step("get restored", lambda: client.get_run(run_id))
    step("restore twice", lambda: client.restore_run(run_id))
    step("write to restored", lambda: client.log_param(run_id, "after", "1"))
    step("delete an unknown run", lambda: client.delete_run(UNKNOWN))
    step("restore an unknown run", lambda: client.restore_run(UNKNOWN))


def nested(step, client, experiment):
    """Parents and children."""
    parent = new_run(step, client, experiment, "parent run")
    child = new_run(step, client, experiment, "child run", tags={"mlflow.parentRunId": parent})
    lost = new_run(step, client, experiment, "orphan run", tags={"mlflow.parentRunId": UNKNOWN})
    step("parent of the child", lambda: client.get_parent_run(child).info.run_name)
    step("parent of the parent", lambda: client.get_parent_run(parent))
    step("parent of an orphan", lambda: client.get_parent_run(lost))
    step(
        "children of the parent",
        lambda: [
            found.info.run_name
            for found in client.search_runs([experiment], f"tags.mlflow.parentRunId = '{parent}'")
        ],
    )


def fluent(step, experiment):
    """The functions of the module, which start, nest and end runs."""
    mlflow.set_experiment(experiment_id=experiment)

    def whole_run():
        with mlflow.start_run(run_name="fluent run", description="a description", tags={"t": "1"}) as active:
            mlflow.log_param("p", 1)
            mlflow.log_params({"q": 2, "r": "x"})
            mlflow.log_metric("m", 1.0, step=1, timestamp=1000)
            mlflow.log_metrics({"n": 2.0, "o": 3.0}, step=2, timestamp=2000)
            mlflow.set_tag("u", "2")
            mlflow.set_tags({"v": "3", "w": "4"})
            with mlflow.start_run(run_name="fluent child", nested=True) as child:
                mlflow.log_param("inner", 1)
        return [mlflow.get_run(active.info.run_id), mlflow.get_run(child.info.run_id)]

    def failing_run():
        try:
            with mlflow.start_run(run_name="failing run") as active:
                raise ValueError("expected")
        except ValueError:
            return mlflow.get_run(active.info.run_id).info

    def resumed_run():
        with mlflow.start_run(run_name="resumed run") as first:
            mlflow.log_param("first", 1)
        with mlflow.start_run(run_id=first.info.run_id):
            mlflow.log_param("second", 2)
        return mlflow.get_run(first.info.run_id)

    step("fluent run", whole_run)
    step("fluent failing run", failing_run)
    step("fluent resumed run", resumed_run)
    step("fluent start of an unknown run", lambda: mlflow.start_run(run_id=UNKNOWN))
    step("fluent last active run", lambda: mlflow.last_active_run().info.run_name)
    step("fluent delete_run", lambda: mlflow.delete_run(mlflow.last_active_run().info.run_id))
    step(
        "fluent search", lambda: mlflow.search_runs([experiment], "tags.t = '1'", order_by=["start_time ASC"])
    )
    step(
        "fluent search as list",
        lambda: mlflow.search_runs([experiment], "params.inner = '1'", output_format="list"),
    )
    step(
        "fluent search by experiment name",
        lambda: len(mlflow.search_runs(experiment_names=["tracking"], filter_string="params.q = '2'")),
    )


def asynchronous(step, client, experiment):
    """Logging that returns before it is done."""
    run_id = new_run(step, client, experiment, "asynchronous run")

    def log_all():
        operations = [client.log_param(run_id, "p", 1, synchronous=False)]
        operations += [client.log_metric(run_id, "m", n, 1000, n, synchronous=False) for n in range(20)]
        operations += [client.set_tag(run_id, "t", "1", synchronous=False)]
        operations += [client.log_batch(run_id, [Metric("b", 1.5, 1000, 0)], synchronous=False)]
        for operation in operations:
            operation.wait()

    step("log asynchronously", log_all)
    step("get after asynchronous logging", lambda: client.get_run(run_id).data)
    step("history after asynchronous logging", lambda: len(client.get_metric_history(run_id, "m")))
    step("refused asynchronously", lambda: client.log_metric(UNKNOWN, "m", 1, synchronous=False).wait())
