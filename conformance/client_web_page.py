"""Plain HTTP that only the web page sends, and the server's protections against foreign pages."""

import json

from client_wire import AJAX, API, Wire


def run(script):
    """Runs the section."""
    step, client, wire = script.section("web page"), script.client, Wire(script.uri)
    experiment = step("make experiment", lambda: client.create_experiment("web page"), kind="experiment")
    run_id = step("make run", lambda: client.create_run(experiment, 1000, run_name="page run").info.run_id)
    step("log points", lambda: [client.log_metric(run_id, "m", n, 1000 + n, n) for n in range(3)])
    histories(step, wire, run_id)
    datasets(step, wire, experiment, run_id)
    protections(step, wire)


def histories(step, wire, run_id):
    """Calls of the web page."""
    bulk = {"run_id": [run_id], "metric_key": "m"}
    step("bulk history", lambda: wire.get(f"{AJAX}/metrics/get-history-bulk", bulk))
    step(
        "bulk history of one point",
        lambda: wire.get(f"{AJAX}/metrics/get-history-bulk", bulk | {"max_results": 1}),
    )
    step("bulk history by api", lambda: wire.get(f"{API}/metrics/get-history-bulk", bulk)["status"])
    step(
        "bulk history without a run",
        lambda: wire.get(f"{AJAX}/metrics/get-history-bulk", {"metric_key": "m"}),
    )
    step(
        "bulk history without a key",
        lambda: wire.get(f"{AJAX}/metrics/get-history-bulk", {"run_id": [run_id]}),
    )
    step(
        "bulk history of 101 runs",
        lambda: wire.get(f"{AJAX}/metrics/get-history-bulk", {"run_id": [run_id] * 101, "metric_key": "m"}),
    )
    interval = {"run_ids": [run_id], "metric_key": "m"}
    for base, name in ((AJAX, "ajax"), (API, "api")):
        step(
            f"interval by {name}",
            lambda base=base: wire.get(f"{base}/metrics/get-history-bulk-interval", interval),
        )
    for fields in (
        {"max_results": 0},
        {"max_results": 2501},
        {"start_step": 5, "end_step": 1},
        {"start_step": 1},
        {"end_step": 0},
    ):
        step(
            f"interval with {fields}",
            lambda fields=fields: wire.get(f"{AJAX}/metrics/get-history-bulk-interval", interval | fields),
        )
    step(
        "interval without runs",
        lambda: wire.get(f"{AJAX}/metrics/get-history-bulk-interval", {"metric_key": "m"}),
    )
    step(
        "interval of an unknown run",
        lambda: wire.get(
            f"{AJAX}/metrics/get-history-bulk-interval", {"run_ids": ["0" * 32], "metric_key": "m"}
        ),
    )


def datasets(step, wire, experiment, run_id):
    """Which datasets some experiments used."""
    dataset = {"name": "wire", "digest": "1", "source_type": "local", "source": "{}"}
    linked = {"dataset": dataset, "tags": [{"key": "mlflow.data.context", "value": "training"}]}
    step(
        "link dataset", lambda: wire.post(f"{API}/runs/log-inputs", {"run_id": run_id, "datasets": [linked]})
    )
    for base, name in ((AJAX, "ajax"), (API, "api")):
        step(
            f"search datasets by {name}",
            lambda base=base: wire.post(
                f"{base}/experiments/search-datasets", {"experiment_ids": [experiment]}
            ),
        )
    step(
        "search datasets of nothing",
        lambda: wire.post(f"{AJAX}/experiments/search-datasets", {"experiment_ids": []}),
    )
    step("search datasets without a field", lambda: wire.post(f"{AJAX}/experiments/search-datasets", {}))
    step(
        "search datasets of 21 experiments",
        lambda: wire.post(f"{AJAX}/experiments/search-datasets", {"experiment_ids": [experiment] * 21}),
    )


def protections(step, wire):
    """Foreign hosts and foreign pages."""
    path = f"{API}/experiments/get?experiment_id=0"
    step("foreign host", lambda: wire.raw("GET", path, headers={"Host": "evil.example"}))
    step("foreign host on health", lambda: wire.raw("GET", "/health", headers={"Host": "evil.example"}))
    body, kind = json.dumps({"name": "from a page"}), {"Content-Type": "application/json"}
    for origin in ("https://evil.example", "http://localhost:9999", "null"):
        step(
            f"POST from {origin}",
            lambda origin=origin: wire.raw(
                "POST", f"{API}/experiments/create", body, kind | {"Origin": origin}
            )["status"],
        )
        step(
            f"GET from {origin}",
            lambda origin=origin: wire.raw("GET", path, headers={"Origin": origin})["status"],
        )
    step(
        "headers of protection",
        lambda: wire.ask(
            "GET",
            path,
            headers_of_interest=("X-Content-Type-Options", "X-Frame-Options", "Access-Control-Allow-Origin"),
        ),
    )
