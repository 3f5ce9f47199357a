"""Plain HTTP on artifacts: the proxy, downloads of the web page, transfers, and optional services."""

import json

from client_wire import AJAX, API, Wire

PROXY = "/api/2.0/mlflow-artifacts/artifacts"
HEADERS = ("Content-Disposition", "X-Content-Type-Options", "Content-Length")
UNKNOWN = "0" * 32
TRICKS = [
    "/../escape.txt", "/a/../../escape.txt", "/%2e%2e/escape.txt", "/%2e%2e%2fescape.txt", "/%252e%252e/escape.txt",
    "/..%2fescape.txt", "/..%5cescape.txt", "//etc/hostname", "/%2fetc%2fhostname", "/a%5c..%5cb.txt", "/a%23b.txt",
    "/a%3fb.txt", "/a%00b.txt", "/a//b.txt", "/./a.txt", "/C:%5ca.txt", "/file:%2f%2f%2fetc%2fhostname", "/~%2fa.txt",
]  # fmt: skip


def run(script):
    """Runs the section."""
    step, wire = script.section("proxy"), Wire(script.uri)
    experiment = step("make experiment", lambda: script.client.create_experiment("proxy"), kind="experiment")
    run_id = step(
        "make run", lambda: script.client.create_run(experiment, 1000, run_name="proxy run").info.run_id
    )
    root = f"{PROXY}/{experiment}/{run_id}/artifacts"
    transfer(step, wire, root)
    types(step, wire, root)
    lists(step, wire, root)
    tricks(step, wire, root)
    by_run(step, wire, script, experiment, run_id)
    by_version_and_model(step, wire, script, experiment, run_id)
    multipart(step, wire, root, run_id)
    optional(step, wire)


def transfer(step, wire, root):
    """Puts, gets and deletes files."""
    step("put", lambda: wire.ask("PUT", f"{root}/a.txt", data=b"content"))
    step("get", lambda: wire.ask("GET", f"{root}/a.txt", HEADERS))
    step("put again", lambda: wire.ask("PUT", f"{root}/a.txt", data=b"new content"))
    step("get again", lambda: wire.ask("GET", f"{root}/a.txt", HEADERS))
    step("head", lambda: wire.ask("HEAD", f"{root}/a.txt")["status"])
    step("get a range", lambda: wire.ask("GET", f"{root}/a.txt", headers={"Range": "bytes=0-2"}))
    step("put empty", lambda: wire.ask("PUT", f"{root}/empty.txt", data=b""))
    step("get empty", lambda: wire.ask("GET", f"{root}/empty.txt", HEADERS))
    step("put JSON", lambda: wire.ask("PUT", f"{root}/a.json", json={"a": 1}))
    step("get JSON", lambda: wire.ask("GET", f"{root}/a.json", HEADERS))
    step("put in chunks", lambda: wire.ask("PUT", f"{root}/chunks.txt", data=iter([b"one ", b"two"])))
    step("get from chunks", lambda: wire.ask("GET", f"{root}/chunks.txt"))
    step("put deep", lambda: wire.ask("PUT", f"{root}/one/two/deep.txt", data=b"deep"))
    step("put with spaces", lambda: wire.ask("PUT", f"{root}/with space/ü.txt", data=b"x"))
    step("get with spaces", lambda: wire.ask("GET", f"{root}/with space/ü.txt", HEADERS))
    step("get absent", lambda: wire.ask("GET", f"{root}/absent.txt"))
    step("get a directory", lambda: wire.ask("GET", f"{root}/one")["status"])
    step("put at the root", lambda: wire.ask("PUT", f"{PROXY}/", data=b"")["status"])
    step("delete", lambda: wire.ask("DELETE", f"{root}/a.json"))
    step("delete twice", lambda: wire.ask("DELETE", f"{root}/a.json"))
    step("get deleted", lambda: wire.ask("GET", f"{root}/a.json"))
    step("delete a directory", lambda: wire.ask("DELETE", f"{root}/with space"))
    step("post", lambda: wire.ask("POST", f"{root}/a.txt", data=b"")["status"])
    step("by ajax", lambda: wire.ask("GET", f"{root}/a.txt".replace("/api/", "/ajax-api/")))


def types(step, wire, root):
    """Content types by file name."""
    for name in (
        "a.html",
        "a.svg",
        "a.js",
        "a.png",
        "a.csv",
        "a.yaml",
        "a.pkl",
        "a.parquet",
        "a.unknown",
        "MLmodel",
        "a.JSON",
        "a.pdf",
        "a.md",
    ):
        step(f"put {name}", lambda name=name: wire.ask("PUT", f"{root}/types/{name}", data=b"x")["status"])
        step(f"get {name}", lambda name=name: wire.ask("GET", f"{root}/types/{name}", HEADERS))


def lists(step, wire, root):
    """Lists of the proxy, which give base names."""
    inner = root.removeprefix(PROXY + "/")
    paths = (
        inner,
        inner + "/one",
        inner + "/one/",
        inner + "/absent",
        inner + "/a.txt",
        "",
        "..",
        "/etc",
        inner + "/..",
        "%2e%2e",
    )
    for number, path in enumerate(paths):
        step(f"list {number} {path.removeprefix(inner) if path.startswith(inner) else path!r}",
             lambda path=path: wire.get(PROXY, {"path": path}) if path else wire.get(PROXY)["status"])  # fmt: skip


def tricks(step, wire, root):
    """Paths that must not leave the root."""
    for path in TRICKS:
        for method in ("GET", "PUT", "DELETE"):
            body = b"" if method == "PUT" else None
            step(f"{method} trick {path}", lambda m=method, p=path, b=body: wire.raw(m, root + p, b))


def by_run(step, wire, script, experiment, run_id):
    """Downloads and uploads of the web page, by run."""
    client = script.client
    step("log text", lambda: client.log_text(run_id, "hello", "dir/hello.txt"))
    calls = {
        "get-artifact": {"run_id": run_id, "path": "dir/hello.txt"},
        "get-artifact by run_uuid": {"run_uuid": run_id, "path": "dir/hello.txt"},
        "get-artifact of an absent file": {"run_id": run_id, "path": "absent.txt"},
        "get-artifact of a directory": {"run_id": run_id, "path": "dir"},
        "get-artifact above": {"run_id": run_id, "path": "../../escape.txt"},
        "get-artifact of an absolute path": {"run_id": run_id, "path": "/etc/hostname"},
        "get-artifact of an unknown run": {"run_id": UNKNOWN, "path": "a.txt"},
    }
    for name, fields in calls.items():
        step(name, lambda fields=fields: wire.ask("GET", "/get-artifact", HEADERS, params=fields))
    step("get-artifact without a path", lambda: wire.get("/get-artifact", {"run_id": run_id})["status"])
    step("get-artifact without a run", lambda: wire.get("/get-artifact", {"path": "a.txt"})["status"])
    uploads = {
        "upload-artifact": {"run_uuid": run_id, "path": "up/loaded.txt"},
        "upload-artifact by run_id": {"run_id": run_id, "path": "up/loaded.txt"},
        "upload-artifact above": {"run_uuid": run_id, "path": "../escape.txt"},
        "upload-artifact without a path": {"run_uuid": run_id},
        "upload-artifact without a run": {"path": "a.txt"},
        "upload-artifact of an unknown run": {"run_uuid": UNKNOWN, "path": "a.txt"},
    }
    for name, fields in uploads.items():
        step(
            name,
            lambda fields=fields: wire.ask("POST", f"{AJAX}/upload-artifact", params=fields, data=b"loaded"),
        )
    step(
        "upload-artifact of nothing",
        lambda: wire.ask("POST", f"{AJAX}/upload-artifact", params={"run_uuid": run_id, "path": "b.txt"}),
    )
    step("list uploaded", lambda: client.list_artifacts(run_id, "up"))
    for path in ("", "dir", "absent", "..", "/", "dir/../..", "%2e%2e"):
        step(
            f"artifacts/list {path!r}",
            lambda path=path: wire.get(f"{API}/artifacts/list", {"run_id": run_id, "path": path}),
        )


def by_version_and_model(step, wire, script, experiment, run_id):
    """Downloads by model version and by logged model."""
    client = script.client
    step("create model", lambda: client.create_registered_model("proxied"))
    step(
        "create version",
        lambda: (
            client.create_model_version(
                "proxied", f"{client.get_run(run_id).info.artifact_uri}/dir", run_id
            ).version
        ),
    )
    path = "/model-versions/get-artifact"
    for fields in (
        {"name": "proxied", "version": "1", "path": "hello.txt"}, {"name": "proxied", "version": "1", "path": "absent.txt"},
        {"name": "proxied", "version": "1", "path": "../a.txt"}, {"name": "proxied", "version": "9", "path": "hello.txt"},
        {"name": "nobody", "version": "1", "path": "hello.txt"},
    ):  # fmt: skip
        step(
            f"GET {path} {json.dumps(fields)}",
            lambda fields=fields: wire.ask("GET", path, HEADERS, params=fields),
        )
    made = step(
        "create logged model",
        lambda: wire.post(f"{API}/logged-models", {"experiment_id": experiment, "name": "proxied"}),
    )
    model_id = made["body"]["model"]["info"]["model_id"] if made and made["status"] == 200 else "m-" + UNKNOWN
    step(
        "put file of logged model",
        lambda: wire.ask("PUT", f"{PROXY}/{experiment}/models/{model_id}/artifacts/f.txt", data=b"f"),
    )
    files = f"{AJAX}/logged-models/{model_id}/artifacts/files"
    for name in ("f.txt", "absent.txt", "../f.txt"):
        step(
            f"GET file {name} of logged model",
            lambda name=name: wire.ask("GET", files, HEADERS, params={"artifact_file_path": name}),
        )
    step("GET no file of logged model", lambda: wire.get(files)["status"])
    step("list logged model", lambda: wire.get(f"{API}/logged-models/{model_id}/artifacts/directories"))
    step(
        "list above logged model",
        lambda: wire.get(
            f"{API}/logged-models/{model_id}/artifacts/directories", {"artifact_directory_path": "../.."}
        ),
    )


def multipart(step, wire, root, run_id):
    """Transfers in parts and by signed addresses, which a local directory does not offer."""
    inner = root.removeprefix(PROXY + "/")
    base = "/api/2.0/mlflow-artifacts"
    step("mpu create", lambda: wire.post(f"{base}/mpu/create/{inner}/big", {"path": "big", "num_parts": 2}))
    step(
        "mpu complete",
        lambda: wire.post(f"{base}/mpu/complete/{inner}/big", {"path": "big", "upload_id": "x", "parts": []}),
    )
    step("mpu abort", lambda: wire.post(f"{base}/mpu/abort/{inner}/big", {"path": "big", "upload_id": "x"}))
    step("mpu create without fields", lambda: wire.post(f"{base}/mpu/create/{inner}/big", {}))
    step(
        "mpu create above",
        lambda: wire.post(f"{base}/mpu/create/{inner}/%2e%2e/big", {"path": "../big", "num_parts": 2}),
    )
    step("presigned", lambda: wire.get(f"{base}/presigned/{inner}/a.txt"))
    for kind in ("upload", "download"):
        fields = {"run_id": run_id, "path": "a.txt"}
        step(
            f"presigned-{kind}-url",
            lambda kind=kind: wire.post(f"{API}/artifacts/presigned-{kind}-url", fields),
        )
        step(
            f"presigned-{kind}-url without fields",
            lambda kind=kind: wire.post(f"{API}/artifacts/presigned-{kind}-url", {}),
        )


def optional(step, wire):
    """Services that are switched off by default."""
    step("workspaces", lambda: wire.get("/api/3.0/mlflow/workspaces"))
    step("create workspace", lambda: wire.post("/api/3.0/mlflow/workspaces", {"name": "team"}))
    step("get workspace", lambda: wire.get("/api/3.0/mlflow/workspaces/default"))
    step(
        "experiment of another workspace",
        lambda: wire.ask(
            "GET", f"{API}/experiments/get?experiment_id=0", headers={"X-MLFLOW-WORKSPACE": "team"}
        ),
    )
    step("users", lambda: wire.get("/api/2.0/mlflow/users/current")["status"])
