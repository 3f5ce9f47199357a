"""Batches at and past their limits, and values at and past their lengths."""

from mlflow.entities import Metric, Param, RunTag


def run(script):
    """Runs the section. The store is used directly, because the client splits large batches itself."""
    step, client = script.section("limits"), script.client
    store = client._tracking_client.store
    experiment = step("create experiment", lambda: client.create_experiment("limits"), kind="experiment")
    sizes = {
        "999 metrics": (999, 0, 0),
        "1000 metrics": (1000, 0, 0),
        "1001 metrics": (1001, 0, 0),
        "100 params": (0, 100, 0),
        "101 params": (0, 101, 0),
        "100 tags": (0, 0, 100),
        "101 tags": (0, 0, 101),
        "1000 in all": (800, 100, 100),
        "1001 in all": (801, 100, 100),
        "3000 in all": (1000, 1000, 1000),
    }
    for name, counts in sizes.items():
        limit(step, client, store, experiment, name, counts)
    split_by_client(step, client, experiment)
    lengths(step, client, store, experiment)
    atomicity(step, client, store, experiment)


def batch_of(n_metrics, n_params, n_tags):
    """Makes a batch of the given sizes."""
    return (
        [Metric(f"m{n}", n, 1000, 0) for n in range(n_metrics)],
        [Param(f"p{n}", str(n)) for n in range(n_params)],
        [RunTag(f"t{n}", str(n)) for n in range(n_tags)],
    )


def counts_of(run):
    """Counts what a run holds."""
    return {"metrics": len(run.data.metrics), "params": len(run.data.params), "tags": len(run.data.tags)}


def limit(step, client, store, experiment, name, counts):
    """Sends one batch in one request and counts what arrived."""
    run_id = step(f"run for {name}", lambda: client.create_run(experiment, 1000, run_name=name).info.run_id)
    step(f"send {name}", lambda: store.log_batch(run_id, *batch_of(*counts)))
    step(f"count after {name}", lambda: counts_of(client.get_run(run_id)))


def split_by_client(step, client, experiment):
    """The client cuts a large batch into allowed ones."""
    run_id = step(
        "run for a split batch", lambda: client.create_run(experiment, 1000, run_name="split").info.run_id
    )
    step("client sends 1500 metrics", lambda: client.log_batch(run_id, *batch_of(1500, 0, 0)))
    step("client sends 250 params and tags", lambda: client.log_batch(run_id, *batch_of(0, 250, 250)))
    step("count after the split", lambda: counts_of(client.get_run(run_id)))


def lengths(step, client, store, experiment):
    """Lengths, past what the client checks itself."""
    run_id = step(
        "run for lengths", lambda: client.create_run(experiment, 1000, run_name="lengths").info.run_id
    )
    cases = {
        "metric key of 250": ([Metric("m" * 250, 1, 1, 0)], [], []),
        "metric key of 251": ([Metric("m" * 251, 1, 1, 0)], [], []),
        "param key of 250": ([], [Param("p" * 250, "1")], []),
        "param key of 251": ([], [Param("p" * 251, "1")], []),
        "param value of 6000": ([], [Param("p6000", "x" * 6000)], []),
        "param value of 6001": ([], [Param("p6001", "x" * 6001)], []),
        "param value of 6000 wide characters": ([], [Param("wide", "日" * 6000)], []),
        "tag key of 250": ([], [], [RunTag("t" * 250, "1")]),
        "tag key of 251": ([], [], [RunTag("t" * 251, "1")]),
        "tag value of 8000": ([], [], [RunTag("t8000", "x" * 8000)]),
        "tag value of 8001": ([], [], [RunTag("t8001", "x" * 8001)]),
        "tag value of 100000": ([], [], [RunTag("t100000", "x" * 100000)]),
        "note of 100000": ([], [], [RunTag("mlflow.note.content", "x" * 100000)]),
        "run name of 10000": ([], [], [RunTag("mlflow.runName", "x" * 10000)]),
    }
    for name, batch in cases.items():
        step(f"log {name}", lambda batch=batch: store.log_batch(run_id, *batch))
    step("lengths of params", lambda: value_lengths(client.get_run(run_id).data.params))
    step("lengths of tags", lambda: value_lengths(client.get_run(run_id).data.tags))
    step("length of the name", lambda: len(client.get_run(run_id).info.run_name))


def value_lengths(values):
    """Returns the length of each value by the start of its key."""
    return {f"{key[:24]} ({len(key)})": len(value) for key, value in values.items()}


def atomicity(step, client, store, experiment):
    """What of a batch stays when a part of it is refused."""
    run_id = step("run for parts", lambda: client.create_run(experiment, 1000, run_name="parts").info.run_id)
    step("log a param", lambda: store.log_batch(run_id, [], [Param("p", "1")], []))
    step(
        "log a batch with a conflicting param",
        lambda: store.log_batch(
            run_id, [Metric("m", 1, 1, 0)], [Param("n", "1"), Param("p", "2")], [RunTag("t", "1")]
        ),
    )
    step("content after the conflict", lambda: client.get_run(run_id).data)
    step(
        "log a batch with a bad metric",
        lambda: store.log_batch(run_id, [Metric("a=b", 1, 1, 0)], [Param("n", "1")], [RunTag("t", "1")]),
    )
    step("content after the bad metric", lambda: client.get_run(run_id).data)
    step(
        "log a batch with a negative timestamp",
        lambda: store.log_batch(run_id, [Metric("m", 1, -1, 0)], [Param("n", "1")], []),
    )
    step("content after the negative timestamp", lambda: client.get_run(run_id).data)
