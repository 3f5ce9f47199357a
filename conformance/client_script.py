"""Runs every section of the conformance script against one server and writes the transcript.

    python client_script.py --uri http://127.0.0.1:5000 --out transcript.json [--without webhooks]

The server must be fresh: the script counts on an empty store. The sections run in one process and in a
fixed order. A refused step is recorded and the script goes on.
"""

import argparse
import contextlib
import dataclasses
import importlib
import io
import json
import logging
import os
import pathlib
import shutil
import sys
import tempfile
import urllib.parse
import warnings

import transcript as recorder

SECTIONS = [
    "experiments",
    "tracking",
    "limits",
    "search",
    "metrics",
    "inputs",
    "artifacts",
    "registry",
    "versions",
    "logged_models",
    "models",
    "autolog",
    "prompts",
    "wire",
    "web_page",
    "proxy",
    "webhooks",
]


@dataclasses.dataclass
class Script:
    """What each section is given."""

    uri: str
    client: object
    transcript: recorder.Transcript
    directory: pathlib.Path
    major: int

    def section(self, prefix):
        """Returns the step function of a section, which puts `prefix/` before each name."""

        def step(name, call, **options):
            return self.transcript.step(f"{prefix}/{name}", call, **options)

        return step

    def new_directory(self, name):
        """Makes an empty directory for files of the client."""
        directory = self.directory / name
        directory.mkdir(parents=True)
        return directory


def prepare_environment(uri):
    """Fixes what MLflow reads from its surroundings. Must run before mlflow is imported."""
    os.environ.update(
        {
            "MLFLOW_TRACKING_URI": uri,
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
            "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
            "MLFLOW_HTTP_REQUEST_TIMEOUT": "60",
            "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
            "MLFLOW_RUN_CONTEXT": json.dumps(
                {"mlflow.source.name": "client_script.py", "mlflow.source.git.commit": "0" * 40}
            ),
            "LOGNAME": "conformance",
            "USER": "conformance",
            "GIT_PYTHON_REFRESH": "quiet",
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "TQDM_DISABLE": "1",
        }
    )
    warnings.simplefilter("ignore")


def new_script(uri, directory):
    """Connects the client and the recorder."""
    import mlflow

    logging.getLogger("mlflow").setLevel(logging.CRITICAL)
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    literals = {
        uri: "<server>",
        urllib.parse.urlsplit(uri).netloc: "<host>",
        str(directory): "<directory>",
        sys.prefix: "<environment>",
        sys.version.split()[0]: "<python>",
        mlflow.__version__: "<mlflow>",
    }
    major = int(mlflow.__version__.split(".")[0])
    return Script(uri, mlflow.MlflowClient(uri, uri), recorder.Transcript(literals), directory, major)


def run_section(script, name):
    """Runs one section. An error outside of a step is recorded as a refused step of its own."""
    module = importlib.import_module(f"client_{name}")
    # What the client prints for people goes nowhere.
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        script.transcript.step(f"{name.replace('_', ' ')}/complete", lambda: module.run(script))
    print(f"{name}: {len(script.transcript.entries)} steps so far", flush=True)


def main():
    """Parses the command line and runs the wanted sections."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--uri", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument(
        "--routes", action="store_true", help="write the methods and paths asked for beside OUT"
    )
    parser.add_argument("--only", action="append", default=[], choices=SECTIONS)
    parser.add_argument("--without", action="append", default=[], choices=SECTIONS)
    arguments = parser.parse_args()
    prepare_environment(arguments.uri.rstrip("/"))
    directory = pathlib.Path(tempfile.mkdtemp(prefix="conformance-")).resolve()
    tempfile.tempdir = str(directory)
    (directory / "work").mkdir()
    out = pathlib.Path(arguments.out).absolute()
    routes = set()
    try:
        script = new_script(arguments.uri.rstrip("/"), directory)
        os.chdir(directory / "work")
        with recorder.watched_http(script.transcript, routes):
            for name in arguments.only or SECTIONS:
                if name not in arguments.without:
                    run_section(script, name)
        script.transcript.write(out)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    if arguments.routes:
        out.with_suffix(".routes").write_text("\n".join(sorted(routes)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
