"""Records the transcript of the peer: starts `mlflow server`, runs the client script, stops the server.

    python record.py --venv venv-v3 --out transcript-v3.json
    python record.py --venv venv-v2 --server-venv venv-v3 --out transcript-v2.json

The server is always that of `--server-venv` (default: `--venv`), on a free port, with SQLite and a
local artifact directory in a fresh temporary directory.
"""

import argparse
import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
START_SECONDS_MAX = 120


def free_port():
    """Returns a port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def server_environment():
    """The settings under which the peer delivers webhooks to a plain local receiver."""
    return {
        **os.environ,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "true",
        "MLFLOW_WEBHOOK_ALLOWED_SCHEMES": "http,https",
        "MLFLOW_WEBHOOK_CACHE_TTL": "0",
        "MLFLOW_WEBHOOK_DELIVERY_MAX_WORKERS": "1",
        "MLFLOW_WEBHOOK_REQUEST_MAX_RETRIES": "0",
        # A fixed Fernet key, for this test only.
        "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY": "Y29uZm9ybWFuY2UtdGVzdC1rZXktMzItYnl0ZXMhISE=",
        "GIT_PYTHON_REFRESH": "quiet",
    }


@contextlib.contextmanager
def running_server(venv, directory, options=()):
    """Starts the peer and yields its address; stops it, and what it started, at the end."""
    port = free_port()
    command = [
        str(venv / "bin" / "mlflow"), "server",
        "--backend-store-uri", f"sqlite:///{directory}/mlflow.db",
        "--artifacts-destination", str(directory / "artifacts"),
        "--host", "127.0.0.1", "--port", str(port), "--workers", "1", *options,
    ]  # fmt: skip
    with open(directory / "server.log", "wb") as log:
        server = subprocess.Popen(
            command, cwd=directory, env=server_environment(), stdout=log, stderr=log, start_new_session=True
        )
    try:
        wait_until_healthy(server, port, directory / "server.log")
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(timeout=30)


def wait_until_healthy(server, port, log):
    """Asks for /health until it answers."""
    deadline = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < deadline:
        if server.poll() is not None:
            break
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2).close()
            return
        time.sleep(0.2)
    raise SystemExit(f"the server did not start:\n{log.read_text()}")


def main():
    """Parses the command line and records."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--venv", required=True, type=pathlib.Path, help="environment of the client")
    parser.add_argument("--server-venv", type=pathlib.Path, help="environment of the server, default: --venv")
    parser.add_argument("--out", required=True, type=pathlib.Path)
    parser.add_argument("client_options", nargs="*", help="after --: options of client_script.py")
    arguments = parser.parse_args()
    venv = arguments.venv.absolute()
    server_venv = (arguments.server_venv or venv).absolute()
    with tempfile.TemporaryDirectory(prefix="mlflow-peer-") as name:
        code = record(venv, server_venv, pathlib.Path(name), arguments)
    sys.exit(code)


def record(venv, server_venv, directory, arguments):
    """Runs the client script against a fresh server and returns its exit code."""
    script = [str(venv / "bin" / "python"), str(HERE / "client_script.py")]
    with running_server(server_venv, directory) as uri:
        command = [*script, "--uri", uri, "--out", str(arguments.out.absolute()), *arguments.client_options]
        started = time.monotonic()
        code = subprocess.call(command, cwd=directory)
        print(f"client ran {time.monotonic() - started:.1f} s, exit code {code}")
        return code


if __name__ == "__main__":
    main()
