"""Metrics: special values, steps, timestamps, the latest value, histories in all their forms."""

import math

from mlflow.entities import Metric

UNKNOWN = "0" * 32
VALUES = {
    "integer": 3,
    "zero": 0.0,
    "negative zero": -0.0,
    "negative": -1.5,
    "third": 1 / 3,
    "tenth": 0.1,
    "smallest": 5e-324,
    "tiny": 1e-300,
    "huge": 1.7976931348623157e308,
    "large integer": 2**53 + 1,
    "nan": math.nan,
    "inf": math.inf,
    "minus inf": -math.inf,
    "boolean": True,
}


def run(script):
    """Runs the section."""
    step, client = script.section("metrics"), script.client
    experiment = step("create experiment", lambda: client.create_experiment("metrics"), kind="experiment")
    values(step, client, experiment)
    times(step, client, experiment)
    latest(step, client, experiment)
    history(step, client, experiment)
    long_history(step, client, experiment)
    with_models_and_datasets(step, client, experiment, script)


def new_run(step, client, experiment, name):
    """Creates a run for one part of the section."""
    made = step(f"create run {name}", lambda: client.create_run(experiment, start_time=1000, run_name=name))
    return made.info.run_id if made else UNKNOWN


def points(history):
    """Returns value, timestamp and step of each point; the value as text, so that no digit gets lost."""
    return [[repr(point.value), point.timestamp, point.step] for point in history]


def values(step, client, experiment):
    """Special values, singly and in a batch."""
    run_id = new_run(step, client, experiment, "values run")
    for name, value in VALUES.items():
        step(f"log {name}", lambda name=name, value=value: client.log_metric(run_id, name, value, 1000, 0))
        step(f"history of {name}", lambda name=name: points(client.get_metric_history(run_id, name)))
    step(
        "latest values",
        lambda: {key: repr(value) for key, value in client.get_run(run_id).data.metrics.items()},
    )
    batch = new_run(step, client, experiment, "values batch run")
    step(
        "log all in a batch",
        lambda: client.log_batch(batch, [Metric(name, value, 1000, 0) for name, value in VALUES.items()]),
    )
    step(
        "values of the batch",
        lambda: {key: repr(value) for key, value in client.get_run(batch).data.metrics.items()},
    )
    for value in ("text", None, [1], "1.5"):
        step(f"log {value!r}", lambda value=value: client.log_metric(run_id, "odd", value, 1000, 0))


def times(step, client, experiment):
    """Steps and timestamps at their edges."""
    run_id = new_run(step, client, experiment, "times run")
    for number in (0, 1, -1, -(2**63), 2**63 - 1, 2**31, 2**63, 1.5):
        step(
            f"log at step {number}",
            lambda number=number: client.log_metric(run_id, "step", 1.0, 1000, number),
        )
    step("history of steps", lambda: points(client.get_metric_history(run_id, "step")))
    for stamp in (0, 1, -1, 2**63 - 1, 1.5):
        step(
            f"log at timestamp {stamp}", lambda stamp=stamp: client.log_metric(run_id, "stamp", 1.0, stamp, 0)
        )
    step("history of timestamps", lambda: points(client.get_metric_history(run_id, "stamp")))
    step("log at no time and no step", lambda: client.log_metric(run_id, "now", 1.0))
    step("history of now", lambda: client.get_metric_history(run_id, "now"))


def latest(step, client, experiment):
    """Which point counts as the latest."""
    run_id = new_run(step, client, experiment, "latest run")
    sequences = {
        "by step": [(1, 1000, 0), (2, 1000, 2), (3, 9000, 1)],
        "by time": [(1, 3000, 1), (2, 1000, 1), (3, 2000, 1)],
        "by value": [(5, 1000, 1), (9, 1000, 1), (7, 1000, 1)],
        "nan last": [(5, 1000, 1), (math.nan, 1000, 1)],
        "nan first": [(math.nan, 1000, 1), (5, 1000, 1)],
        "nan later": [(5, 1000, 1), (math.nan, 1000, 2)],
        "negative step": [(5, 1000, -1), (6, 1000, -2)],
        "repeat": [(5, 1000, 1), (5, 1000, 1), (5, 1000, 1)],
    }
    for name, sequence in sequences.items():
        for index, (value, stamp, number) in enumerate(sequence):
            step(
                f"latest {name} {index}",
                lambda name=name, point=(value, stamp, number): client.log_metric(run_id, name, *point),
            )
        step(f"latest {name} history", lambda name=name: points(client.get_metric_history(run_id, name)))
    step(
        "latest of all",
        lambda: {key: repr(value) for key, value in client.get_run(run_id).data.metrics.items()},
    )
    batch = new_run(step, client, experiment, "latest batch run")
    step(
        "latest in one batch",
        lambda: client.log_batch(
            batch, [Metric(name, *point) for name, sequence in sequences.items() for point in sequence]
        ),
    )
    step(
        "latest of the batch",
        lambda: {key: repr(value) for key, value in client.get_run(batch).data.metrics.items()},
    )


def history(step, client, experiment):
    """Order of a history, and histories that do not exist."""
    run_id = new_run(step, client, experiment, "history run")
    order = [(3, 3000, 1), (1, 1000, 3), (2, 2000, 2), (1, 1000, 1), (9, 1000, 1)]
    for index, (value, stamp, number) in enumerate(order):
        step(
            f"log point {index}", lambda point=(value, stamp, number): client.log_metric(run_id, "m", *point)
        )
    step("history", lambda: client.get_metric_history(run_id, "m"))
    step("history of an unknown key", lambda: client.get_metric_history(run_id, "unknown"))
    step("history of an empty key", lambda: client.get_metric_history(run_id, ""))
    step("history of an unknown run", lambda: client.get_metric_history(UNKNOWN, "m"))
    step("history of a malformed run", lambda: client.get_metric_history("x y", "m"))
    step("delete the run", lambda: client.delete_run(run_id))
    step("history of a deleted run", lambda: points(client.get_metric_history(run_id, "m")))


def long_history(step, client, experiment):
    """A history that is long enough for pages and for thinning."""
    store = client._tracking_client.store
    run_id = new_run(step, client, experiment, "long run")
    other = new_run(step, client, experiment, "long run two")
    for start in range(0, 2500, 500):
        numbers = range(start, start + 500)
        step(
            f"log points from {start}",
            lambda numbers=numbers: client.log_batch(
                run_id, [Metric("long", (n * 37 % 101) / 4, 1000 + n, n) for n in numbers]
            ),
        )
    step(
        "log points of the other",
        lambda: client.log_batch(other, [Metric("long", n, 1000 + n, n) for n in range(10)]),
    )
    step("length of the history", lambda: len(client.get_metric_history(run_id, "long")))
    step("ends of the history", lambda: ends(client.get_metric_history(run_id, "long")))
    pages(step, store, run_id)
    if not hasattr(store, "get_metric_history_bulk_interval"):
        return
    for size, start, end in (
        (5, None, None),
        (10, 100, 200),
        (320, None, None),
        (2, 2499, 2499),
        (4, 90, 95),
    ):
        step(
            f"interval of {size} from {start} to {end}",
            lambda size=size, start=start, end=end: by_run(
                store.get_metric_history_bulk_interval([run_id, other], "long", size, start, end),
                {run_id: "first", other: "second"},
            ),
        )


def by_run(history, labels):
    """Groups points by run: the answer is sorted by run id, and those are random."""
    groups = {label: [] for label in labels.values()}
    for point in history:
        groups[labels[point.run_id]].append([point.step, point.timestamp, repr(point.value)])
    return groups


def pages(step, store, run_id):
    """Pages of a history, as the client's store asks for them."""

    def walk(size):
        found, token = [], None
        while True:
            page = store.get_metric_history(run_id, "long", max_results=size, page_token=token)
            found.append([len(page), page[0].step, page[-1].step])
            token = page.token
            if not token:
                return found

    for size in (1000, 2500, 3000):
        step(f"pages of {size}", lambda size=size: walk(size))
    for size in (0, -1, 1):
        step(
            f"first page of {size}",
            lambda size=size: points(store.get_metric_history(run_id, "long", max_results=size)),
        )
    step(
        "page with a bad token",
        lambda: store.get_metric_history(run_id, "long", max_results=5, page_token="bad"),
    )


def ends(history):
    """Returns the first and last points, whose values are exact."""
    return points(history[:3]) + points(history[-3:])


def with_models_and_datasets(step, client, experiment, script):
    """Metrics that name a dataset (client 3)."""
    if script.major < 3:
        return
    run_id = new_run(step, client, experiment, "dataset metric run")
    step(
        "log with a dataset",
        lambda: client.log_metric(run_id, "acc", 0.5, 1000, 0, dataset_name="train", dataset_digest="abc"),
    )
    step("log without a dataset", lambda: client.log_metric(run_id, "acc", 0.75, 1000, 1))
    step("history with a dataset", lambda: client.get_metric_history(run_id, "acc"))
