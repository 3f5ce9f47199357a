"""Artifacts of runs: upload, list, download, delete, odd names, path tricks."""

import hashlib
import pathlib

import mlflow
from mlflow.artifacts import download_artifacts, load_dict, load_text

UNKNOWN = "0" * 32
TRICKS = [
    "../escape.txt", "a/../../escape.txt", "/etc/hostname", "..", "a/..", "%2e%2e/escape.txt", "%252e%252e/escape.txt",
    "..%2fescape.txt", "a\\..\\b.txt", "C:\\a.txt", "a#b.txt", "a?b.txt", "a%00b.txt", "./a.txt", "a//b.txt",
    "file:///etc/hostname", "~/a.txt",
]  # fmt: skip
NAMES = [
    "with space.txt", "größe.txt", "日本語.txt", "emoji 🙂.txt", "plus+sign.txt", "amp&sand.txt", "semi;colon.txt",
    "quote'.txt", "equals=.txt", "at@.txt", "comma,.txt", "(brackets).txt", "[square].txt", "no extension", ".hidden",
    "double..dots.txt", "percent%.txt", "percent%20.txt", "colon:.txt", "UPPER.TXT", "tilde~.txt", "star*.txt",
]  # fmt: skip


def run(script):
    """Runs the section."""
    step, client = script.section("artifacts"), script.client
    experiment = step("create experiment", lambda: client.create_experiment("artifacts"), kind="experiment")
    made = step(
        "create run", lambda: client.create_run(experiment, start_time=1000, run_name="artifacts run")
    )
    run_id = made.info.run_id if made else UNKNOWN
    directory = script.new_directory("artifacts")
    step("list nothing", lambda: client.list_artifacts(run_id))
    logged_values(step, client, experiment, run_id)
    files(step, client, run_id, directory)
    listing(step, client, run_id)
    downloads(step, client, run_id, script)
    odd_names(step, client, run_id, script)
    tricks(step, client, run_id, script)
    located(step, client, script)
    deletion(step, client, experiment)
    fluent(step, experiment, script)


def logged_values(step, client, experiment, run_id):
    """Values that the client turns into files."""
    import matplotlib.figure
    import numpy
    import pandas

    step("log text", lambda: client.log_text(run_id, "hello\nworld", "text.txt"))
    step("log text in a directory", lambda: client.log_text(run_id, "deep", "one/two/three/deep.txt"))
    step("log empty text", lambda: client.log_text(run_id, "", "empty.txt"))
    step("log html", lambda: client.log_text(run_id, "<b>bold</b>", "page.html"))
    step("log dict as json", lambda: client.log_dict(run_id, {"a": [1, None, "ü"]}, "values.json"))
    step("log dict as yaml", lambda: client.log_dict(run_id, {"a": [1, 2]}, "values.yaml"))
    step("overwrite text", lambda: client.log_text(run_id, "second", "text.txt"))
    table = {"name": ["a", "b"], "score": [0.5, 0.25]}
    step("log table", lambda: client.log_table(run_id, table, "table.json"))
    step("append to table", lambda: client.log_table(run_id, pandas.DataFrame(table), "table.json"))
    step(
        "load table", lambda: client.load_table(experiment, "table.json", [run_id], extra_columns=["run_id"])
    )
    step("tags after table", lambda: client.get_run(run_id).data.tags)
    if hasattr(client, "log_stream"):
        import io

        step("log stream", lambda: client.log_stream(run_id, io.BytesIO(b"streamed"), "stream.bin"))
    step(
        "log image", lambda: client.log_image(run_id, numpy.zeros((2, 2, 3), dtype=numpy.uint8), "image.png")
    )
    pixels = numpy.zeros((4, 4, 3), dtype=numpy.uint8)
    step("log image with a key", lambda: client.log_image(run_id, pixels, key="seen", step=1, timestamp=1000))
    step("list images", lambda: client.list_artifacts(run_id, "images"))
    step("log figure", lambda: client.log_figure(run_id, matplotlib.figure.Figure(), "figure.png"))


def files(step, client, run_id, directory):
    """Files and directories from disk."""
    single = directory / "single.bin"
    single.write_bytes(bytes(range(256)))
    empty = directory / "empty.bin"
    empty.write_bytes(b"")
    big = directory / "big.bin"
    big.write_bytes(b"".join(hashlib.sha256(str(n).encode()).digest() for n in range(98304)))
    tree = directory / "tree"
    (tree / "inner" / "deepest").mkdir(parents=True)
    (tree / "top.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    (tree / "inner" / "middle.csv").write_text("a\n", encoding="utf-8")
    (tree / "inner" / "deepest" / "low.csv").write_text("", encoding="utf-8")
    (tree / "without files").mkdir()
    step("log file", lambda: client.log_artifact(run_id, str(single)))
    step("log file in a directory", lambda: client.log_artifact(run_id, str(single), "some/place"))
    step("log empty file", lambda: client.log_artifact(run_id, str(empty)))
    step("log 3 MB", lambda: client.log_artifact(run_id, str(big)))
    step("log directory", lambda: client.log_artifacts(run_id, str(tree)))
    step("log directory in a directory", lambda: client.log_artifacts(run_id, str(tree), "copies/first"))
    step("log directory as file", lambda: client.log_artifact(run_id, str(tree), "as file"))
    step("log file that is not there", lambda: client.log_artifact(run_id, str(directory / "absent")))
    step("log file over a directory", lambda: client.log_text(run_id, "", "some/place"))
    step("log file below a file", lambda: client.log_text(run_id, "", "text.txt/below.txt"))


def listing(step, client, run_id):
    """Lists of artifacts."""
    paths = (
        "",
        "one",
        "one/two",
        "one/two/three",
        "one/",
        "copies/first",
        "text.txt",
        "absent",
        ".",
        "..",
        "/",
        "as file",
    )
    for path in paths:
        step(f"list {path!r}", lambda path=path: client.list_artifacts(run_id, path))
    step("list none", lambda: client.list_artifacts(run_id, None))
    step("list of an unknown run", lambda: client.list_artifacts(UNKNOWN))
    step("list everything below", lambda: walked(client, run_id))


def walked(client, run_id, path=None):
    """Lists a whole tree."""
    found = []
    for item in client.list_artifacts(run_id, path):
        found.append(item)
        if item.is_dir:
            found += walked(client, run_id, item.path)
    return found


def tree_of(path):
    """Returns size and hash of each file below a local path."""
    root = pathlib.Path(path)
    if root.is_file():
        return {root.name: [root.stat().st_size, hashlib.sha256(root.read_bytes()).hexdigest()[:16]]}
    return {
        str(file.relative_to(root)): sorted(tree_of(file).values())[0]
        for file in root.rglob("*")
        if file.is_file()
    }


def downloads(step, client, run_id, script):
    """Downloads of files and directories."""
    target = script.new_directory("downloads")
    paths = (
        "text.txt",
        "empty.txt",
        "empty.bin",
        "single.bin",
        "big.bin",
        "one/two/three/deep.txt",
        "copies",
        "one",
    )
    paths += ("absent.txt", "absent/dir", "text.txt/", "some/place")
    for index, path in enumerate(paths):
        place = target / str(index)
        place.mkdir()
        step(
            f"download {path}",
            lambda path=path, place=place: tree_of(client.download_artifacts(run_id, path, str(place))),
        )
    step("download everything", lambda: sorted(tree_of(client.download_artifacts(run_id, ""))))
    step("download by run uri", lambda: tree_of(download_artifacts(f"runs:/{run_id}/text.txt")))
    step(
        "download by artifact uri",
        lambda: tree_of(download_artifacts(f"{client.get_run(run_id).info.artifact_uri}/text.txt")),
    )
    step("download of an unknown run", lambda: client.download_artifacts(UNKNOWN, "text.txt"))
    step("load text", lambda: load_text(f"runs:/{run_id}/text.txt"))
    step("load dict", lambda: load_dict(f"runs:/{run_id}/values.json"))


def odd_names(step, client, run_id, script):
    """File names with characters that need quoting."""
    for name in NAMES:
        step(f"log {name}", lambda name=name: client.log_text(run_id, name, f"odd/{name}"))
        step(
            f"load {name}",
            lambda name=name: load_text(f"{client.get_run(run_id).info.artifact_uri}/odd/{name}"),
        )
        step(f"download {name}", lambda name=name: tree_of(client.download_artifacts(run_id, f"odd/{name}")))
    step("list odd names", lambda: client.list_artifacts(run_id, "odd"))
    step("log in an odd directory", lambda: client.log_text(run_id, "x", "odd dir ü/inner file.txt"))
    step("list an odd directory", lambda: client.list_artifacts(run_id, "odd dir ü"))


def tricks(step, client, run_id, script):
    """Paths that must not leave the run.

    The files are empty: a server that refuses before it has read a body may reset the connection.
    """
    for path in TRICKS:
        step(f"list trick {path}", lambda path=path: client.list_artifacts(run_id, path))
        step(f"upload trick {path}", lambda path=path: client.log_text(run_id, "", path))
        step(f"download trick {path}", lambda path=path: tree_of(client.download_artifacts(run_id, path)))


def located(step, client, script):
    """An experiment whose artifacts lie elsewhere."""
    experiment = step(
        "create located experiment",
        lambda: client.create_experiment("located artifacts", "mlflow-artifacts:/shared/place"),
        kind="experiment",
    )
    made = step(
        "create located run", lambda: client.create_run(experiment, start_time=1000, run_name="located run")
    )
    run_id = made.info.run_id if made else UNKNOWN
    step("log located", lambda: client.log_text(run_id, "located", "dir/located.txt"))
    step("list located", lambda: client.list_artifacts(run_id, "dir"))
    step("download located", lambda: tree_of(client.download_artifacts(run_id, "dir")))
    step(
        "list by uri",
        lambda: mlflow.artifacts.list_artifacts(f"mlflow-artifacts:/shared/place/{run_id}/artifacts"),
    )


def deletion(step, client, experiment):
    """Deletes artifacts over the proxy, as `mlflow gc` does."""
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    made = step(
        "create run for deletion", lambda: client.create_run(experiment, 1000, run_name="emptied run")
    )
    run_id = made.info.run_id if made else UNKNOWN
    for path in ("a.txt", "dir/b.txt", "dir/c.txt", "dir/inner/d.txt"):
        step(f"log {path} for deletion", lambda path=path: client.log_text(run_id, path, path))
    uri = step("artifact uri", lambda: client.get_run(run_id).info.artifact_uri)
    repository = get_artifact_repository(uri or "mlflow-artifacts:/absent")
    step("delete file", lambda: repository.delete_artifacts("a.txt"))
    step("delete file twice", lambda: repository.delete_artifacts("a.txt"))
    step("list after file", lambda: walked(client, run_id))
    step("delete inner directory", lambda: repository.delete_artifacts("dir/inner"))
    step("list after directory", lambda: walked(client, run_id))
    step("delete trick", lambda: repository.delete_artifacts("../.."))
    step("delete everything", lambda: repository.delete_artifacts())
    step("list after everything", lambda: walked(client, run_id))
    step("download deleted", lambda: client.download_artifacts(run_id, "dir/b.txt"))


def fluent(step, experiment, script):
    """The functions of the module."""
    mlflow.set_experiment(experiment_id=experiment)
    local = script.new_directory("fluent")
    (local / "file.txt").write_text("content", encoding="utf-8")

    def logged():
        with mlflow.start_run(run_name="fluent artifacts") as active:
            mlflow.log_text("t", "t.txt")
            mlflow.log_dict({"k": "v"}, "d.json")
            mlflow.log_artifact(str(local / "file.txt"))
            mlflow.log_artifacts(str(local), "dir")
            uri = mlflow.get_artifact_uri("dir")
        return [uri, walked(mlflow.MlflowClient(), active.info.run_id)]

    step("fluent artifacts", logged)
