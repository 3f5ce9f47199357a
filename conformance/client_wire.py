"""Plain HTTP: what the Python client hides, or other clients and the web page send.

Each answer is recorded as its status, its content type and its body.
"""

import http.client
import json
import urllib.parse

import requests

API = "/api/2.0/mlflow"
AJAX = "/ajax-api/2.0/mlflow"


class Wire:
    """Sends requests to the server and describes the answers."""

    def __init__(self, uri):
        self.uri = uri
        self.session = requests.Session()

    def get(self, path, parameters=None, **options):
        """Sends a GET."""
        return self.ask("GET", path, params=parameters, **options)

    def post(self, path, body=None, **options):
        """Sends a POST with a JSON body."""
        return self.ask("POST", path, json=body, **options)

    def ask(self, method, path, headers_of_interest=(), **options):
        """Sends any request."""
        answer = self.session.request(method, self.uri + path, timeout=60, allow_redirects=False, **options)
        described = {"status": answer.status_code, "content_type": answer.headers.get("Content-Type")}
        for name in headers_of_interest if answer.ok else ():
            described[name] = answer.headers.get(name)
        return described | {"body": body_of(answer.content)}

    def raw(self, method, path, body=None, headers=None):
        """Sends a path exactly as it is written, dots and all."""
        parts = urllib.parse.urlsplit(self.uri)
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            answer = connection.getresponse()
            return {"status": answer.status, "body": body_of(answer.read())}
        finally:
            connection.close()


def body_of(content):
    """Returns a body as JSON, as text or as its size and hash."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return content
    try:
        return pairs_by_key(json.loads(text))
    except ValueError:
        return text if len(text) < 2000 else f"{text[:200]}…"


def pairs_by_key(value):
    """Sorts lists of tags, params and metrics by key, as the API gives them no order."""
    if isinstance(value, list):
        return [pairs_by_key(item) for item in value]
    if not isinstance(value, dict):
        return value
    for name in {"tags", "params", "metrics"} & set(value):
        if isinstance(value[name], list):
            value[name] = sorted(value[name], key=lambda pair: pair.get("key", ""))
    return {key: pairs_by_key(item) for key, item in value.items()}


def run(script):
    """Runs the section."""
    step, wire = script.section("wire"), Wire(script.uri)
    general(step, wire)
    experiment = step("make experiment", lambda: script.client.create_experiment("wire"), kind="experiment")
    # Runs without a start time have no order, so they are kept apart from those that are searched.
    other = step(
        "make other experiment", lambda: script.client.create_experiment("wire two"), kind="experiment"
    )
    run_id = step(
        "make run", lambda: script.client.create_run(experiment, 1000, run_name="wire run").info.run_id
    )
    answers(step, wire, experiment, run_id)
    encodings(step, wire, experiment, run_id)
    wrong_values(step, wire, experiment, other, run_id)
    numbers(step, wire, run_id)
    old_names(step, wire, run_id)


def general(step, wire):
    """Paths outside of the API, and paths that do not exist."""
    for path in ("/health", "/version", "/api/3.0/mlflow/server-info", "/ajax-api/3.0/mlflow/server-info"):
        step(f"GET {path}", lambda path=path: wire.get(path))
    for path in (
        "/api/2.0/nothing", f"{API}/nothing", "/api/2.0/preview/mlflow/experiments/get", "/api/3.0/mlflow/experiments/get",
        "/api/1.0/mlflow/experiments/get", "/nothing", f"{API}/experiments/get/", f"{API}/experiments//get",
    ):  # fmt: skip
        step(f"GET {path}", lambda path=path: wire.get(path, {"experiment_id": "0"}))
    for method, path in (
        ("POST", "/experiments/get"), ("GET", "/experiments/create"), ("PUT", "/experiments/create"),
        ("DELETE", "/experiments/get"), ("PATCH", "/runs/create"), ("HEAD", "/experiments/get"), ("OPTIONS", "/experiments/get"),
    ):  # fmt: skip
        step(f"{method} {path}", lambda method=method, path=path: wire.ask(method, API + path)["status"])
    step("GET by ajax", lambda: wire.get(f"{AJAX}/experiments/get", {"experiment_id": "0"}))


def answers(step, wire, experiment, run_id):
    """Whole bodies, which show what is left out and what is a number."""
    log = {"run_id": run_id, "key": "m", "value": 1.5, "timestamp": 1000, "step": 3}
    calls = {
        "log metric": lambda: wire.post(f"{API}/runs/log-metric", log),
        "log param": lambda: wire.post(f"{API}/runs/log-parameter", {"run_id": run_id, "key": "p", "value": "1"}),
        "set tag": lambda: wire.post(f"{API}/runs/set-tag", {"run_id": run_id, "key": "t", "value": ""}),
        "get run": lambda: wire.get(f"{API}/runs/get", {"run_id": run_id}),
        "update run": lambda: wire.post(f"{API}/runs/update", {"run_id": run_id, "status": "FINISHED", "end_time": 5000}),
        "search runs": lambda: wire.post(f"{API}/runs/search", {"experiment_ids": [experiment]}),
        "search no runs": lambda: wire.post(f"{API}/runs/search", {"experiment_ids": [experiment], "filter": "params.p = '2'"}),
        "search experiments": lambda: wire.post(f"{API}/experiments/search", {"max_results": 1, "order_by": ["experiment_id ASC"]}),
        "search experiments by GET": lambda: wire.get(f"{API}/experiments/search", {"max_results": 1, "filter": "name = 'wire'"}),
        "search experiments without a limit": lambda: wire.post(f"{API}/experiments/search", {}),
        "get experiment by name": lambda: wire.get(f"{API}/experiments/get-by-name", {"experiment_name": "wire"}),
        "get unknown experiment by name": lambda: wire.get(f"{API}/experiments/get-by-name", {"experiment_name": "nobody"}),
        "list artifacts": lambda: wire.get(f"{API}/artifacts/list", {"run_id": run_id}),
        "history": lambda: wire.get(f"{API}/metrics/get-history", {"run_id": run_id, "metric_key": "m"}),
        "history of nothing": lambda: wire.get(f"{API}/metrics/get-history", {"run_id": run_id, "metric_key": "x"}),
        "create registered model": lambda: wire.post(f"{API}/registered-models/create", {"name": "wire model"}),
        "get registered model": lambda: wire.get(f"{API}/registered-models/get", {"name": "wire model"}),
        "search model versions": lambda: wire.get(f"{API}/model-versions/search", {"filter": "name = 'wire model'"}),
        "latest versions by POST": lambda: wire.post(f"{API}/registered-models/get-latest-versions", {"name": "wire model"}),
        "latest versions by GET": lambda: wire.get(f"{API}/registered-models/get-latest-versions", {"name": "wire model"}),
        "delete registered model": lambda: wire.ask("DELETE", f"{API}/registered-models/delete", json={"name": "wire model"}),
        "create logged model": lambda: wire.post("/api/2.0/mlflow/logged-models", {"experiment_id": experiment, "name": "wire"}),
        "search logged models": lambda: wire.post(f"{API}/logged-models/search", {"experiment_ids": [experiment]}),
        "log model": lambda: wire.post(f"{API}/runs/log-model", {"run_id": run_id, "model_json": MODEL_JSON % run_id}),
        "log model without a run": lambda: wire.post(f"{API}/runs/log-model", {"model_json": "{}"}),
        "log model without fields": lambda: wire.post(f"{API}/runs/log-model", {"run_id": run_id, "model_json": "{}"}),
        "log broken model": lambda: wire.post(f"{API}/runs/log-model", {"run_id": run_id, "model_json": "{"}),
        "create run of a deleted user": lambda: wire.post(f"{API}/runs/create", {"experiment_id": experiment, "user_id": "u", "start_time": 1}),
    }  # fmt: skip
    for name, call in calls.items():
        step(name, call)


MODEL_JSON = (
    '{"run_id": "%s", "artifact_path": "model", "utc_time_created": "2020-01-01", "flavors": {"a": {}}}'
)


def encodings(step, wire, experiment, run_id):
    """Ways in which a body may be written."""
    path = f"{API}/runs/set-tag"
    tag = {"run_id": run_id, "key": "e", "value": "1"}
    json_type, text = {"Content-Type": "application/json"}, json.dumps(tag)
    bodies = {
        "camel case": ({"runId": run_id, "key": "camel", "value": "1"}, None),
        "both cases": ({"runId": run_id, "run_id": run_id, "key": "both", "value": "1"}, None),
        "unknown fields": (tag | {"colour": "red", "more": {"a": [1]}}, None),
        "null field": (tag | {"value": None}, None),
        "all null": ({"run_id": None, "key": None, "value": None}, None),
        "a string that holds JSON": (text, None),
        "a list": ([tag], None),
        "a number": (5, None),
        "null": (None, b"null"),
        "nothing": (None, b""),
        "broken JSON": (None, b"{bad"),
        "two objects": (None, (text + text).encode()),
        "trailing comma": (None, b'{"key": "a",}'),
        "not UTF-8": (None, b'{"key": "\xff"}'),
        "byte order mark": (None, b"\xef\xbb\xbf" + text.encode()),
        "a key twice": (None, text.replace("{", '{"key": "first", ').encode()),
        "NaN": (None, text.replace('"1"', "NaN").encode()),
    }
    for name, (body, content) in bodies.items():
        if content is None:
            step(f"body: {name}", lambda body=body: wire.post(path, body))
        else:
            step(
                f"body: {name}",
                lambda content=content: wire.ask("POST", path, data=content, headers=json_type),
            )
    for kind in (
        "text/plain",
        "application/json; charset=utf-8",
        "application/x-www-form-urlencoded",
        "Application/JSON",
        "",
    ):
        step(
            f"content type {kind}",
            lambda kind=kind: wire.ask("POST", path, data=text, headers={"Content-Type": kind}),
        )
    step("no content type", lambda: wire.raw("POST", path, text))
    step(
        "GET with a body",
        lambda: wire.ask("GET", f"{API}/experiments/get", json={"experiment_id": experiment}),
    )
    step("POST with a query only", lambda: wire.ask("POST", path, params=tag))
    step("GET with camel case", lambda: wire.get(f"{API}/experiments/get", {"experimentId": experiment}))
    step(
        "GET with an unknown parameter",
        lambda: wire.get(f"{API}/experiments/get", {"experiment_id": experiment, "x": "1"}),
    )
    step(
        "GET with a parameter twice",
        lambda: wire.get(f"{API}/experiments/get", {"experiment_id": [experiment, "0"]}),
    )
    step(
        "tags after bodies",
        lambda: sorted(
            pair["key"]
            for pair in wire.get(f"{API}/runs/get", {"run_id": run_id})["body"]["run"]["data"]["tags"]
        ),
    )


def wrong_values(step, wire, experiment, other, run_id):
    """Missing fields and fields of a wrong type."""
    cases = {
        "experiments/create": [{}, {"name": 5}, {"name": ["a"]}, {"name": {"a": 1}}, {"name": True}, {"name": "a", "tags": "b"},
                               {"name": "typed tags", "tags": [{"key": 5, "value": "a"}]}, {"name": "a", "artifact_location": 5}],
        "experiments/delete": [{}, {"experiment_id": 5}, {"experiment_id": ""}],
        "runs/create": [{}, {"experiment_id": 5}, {"experiment_id": other, "start_time": "x"},
                        {"experiment_id": other, "start_time": 1.5}, {"experiment_id": other, "tags": {"a": "b"}},
                        {"experiment_id": other, "tags": [{"value": "b"}]}, {"experiment_id": other, "run_name": 5}],
        "runs/update": [{}, {"run_id": run_id, "status": "SLEEPING"}, {"run_id": run_id, "status": 99}, {"run_id": run_id, "status": 3},
                        {"run_id": run_id, "end_time": "x"}, {"run_id": run_id, "end_time": -1}],
        "runs/log-metric": [{}, {"run_id": run_id}, {"run_id": run_id, "key": "a"}, {"run_id": run_id, "key": "a", "value": "x", "timestamp": 1},
                            {"run_id": run_id, "key": "a", "value": 1}, {"run_id": run_id, "key": "a", "value": 1, "timestamp": "x"},
                            {"run_id": run_id, "key": 5, "value": 1, "timestamp": 1}, {"run_id": run_id, "key": "a", "value": None, "timestamp": 1},
                            {"run_id": run_id, "key": "a", "value": 1, "timestamp": 1, "step": 1.5}, {"run_id": run_id, "key": "a", "value": True, "timestamp": 1}],
        "runs/log-parameter": [{}, {"run_id": run_id, "key": "a"}, {"run_id": run_id, "key": "b", "value": 5}, {"key": "a", "value": "b"}],
        "runs/log-batch": [{}, {"run_id": run_id, "metrics": "x"}, {"run_id": run_id, "metrics": [5]}, {"run_id": run_id, "metrics": [{"key": "a"}]},
                           {"run_id": run_id, "metrics": [{"key": "a", "value": "x", "timestamp": 1}]}, {"run_id": run_id, "params": [{"value": "x"}]},
                           {"run_id": run_id, "params": [{"key": "c"}]}, {"run_id": run_id, "tags": [{"key": "d"}]}],
        "runs/search": [{}, {"experiment_ids": experiment}, {"experiment_ids": [5]}, {"experiment_ids": [experiment], "max_results": "2"},
                        {"experiment_ids": [experiment], "max_results": "x"}, {"experiment_ids": [experiment], "run_view_type": "NONE"},
                        {"experiment_ids": [experiment], "order_by": "start_time"}, {"experiment_ids": [experiment], "filter": 5}],
        "registered-models/create": [{}, {"name": 5}, {"name": "a", "tags": [{"key": ""}]}],
        "model-versions/create": [{}, {"name": "a"}, {"name": "a", "source": 5}],
    }  # fmt: skip
    for path, bodies in cases.items():
        for number, body in enumerate(bodies):
            step(f"{path} wrong {number}", lambda path=path, body=body: wire.post(f"{API}/{path}", body))


def numbers(step, wire, run_id):
    """How numbers may be written."""
    written = [
        '"NaN"', '"Infinity"', '"-Infinity"', '"nan"', '"inf"', '"1.5"', '" 1.5"', "1e400", "-1e400", "1e-400", "NaN", "Infinity",
        "-0.0", "1", "1.0", "12345678901234567890", "0.1", "1.7976931348623157e308", "4.9e-324", '""', "01", ".5", "+1",
    ]  # fmt: skip
    json_type = {"Content-Type": "application/json"}
    for number, text in enumerate(written):
        body = f'{{"run_id": "{run_id}", "key": "n{number}", "value": {text}, "timestamp": 1000}}'
        step(
            f"metric written {text}",
            lambda body=body: wire.ask("POST", f"{API}/runs/log-metric", data=body, headers=json_type),
        )
    for text in (
        '"1000"',
        "1000.0",
        "1e3",
        '"1e3"',
        "9223372036854775808",
        '"9223372036854775807"',
        "-9223372036854775808",
        "true",
    ):
        body = f'{{"run_id": "{run_id}", "key": "s", "value": 1, "timestamp": 1000, "step": {text}}}'
        step(
            f"step written {text}",
            lambda body=body: wire.ask("POST", f"{API}/runs/log-metric", data=body, headers=json_type),
        )
    step("metrics written", lambda: sorted_metrics(wire.get(f"{API}/runs/get", {"run_id": run_id})))
    step(
        "steps written", lambda: wire.get(f"{API}/metrics/get-history", {"run_id": run_id, "metric_key": "s"})
    )
    for size in ("1", "x", "1.5", "", "-1"):
        step(
            f"GET with max_results {size!r}",
            lambda size=size: wire.get(
                f"{API}/metrics/get-history", {"run_id": run_id, "metric_key": "s", "max_results": size}
            ),
        )


def sorted_metrics(answer):
    """Returns the metrics of a run by key, as the API gives no order."""
    return {metric["key"]: metric.get("value") for metric in answer["body"]["run"]["data"]["metrics"]}


def old_names(step, wire, run_id):
    """The name that runs had before version 1."""
    calls = {
        "log-metric": (
            "POST",
            "runs/log-metric",
            {"run_uuid": run_id, "key": "old", "value": 1, "timestamp": 1},
        ),
        "log-parameter": ("POST", "runs/log-parameter", {"run_uuid": run_id, "key": "old", "value": "1"}),
        "set-tag": ("POST", "runs/set-tag", {"run_uuid": run_id, "key": "old", "value": "1"}),
        "update": ("POST", "runs/update", {"run_uuid": run_id, "status": "RUNNING"}),
        "get": ("GET", "runs/get", {"run_uuid": run_id}),
        "get-history": ("GET", "metrics/get-history", {"run_uuid": run_id, "metric_key": "old"}),
        "artifacts": ("GET", "artifacts/list", {"run_uuid": run_id}),
    }
    for name, (method, path, fields) in calls.items():
        options = {"json": fields} if method == "POST" else {"params": fields}
        step(
            f"run_uuid in {name}",
            lambda m=method, p=path, o=options: wire.ask(m, f"{API}/{p}", **o)["status"],
        )
