"""Measures this server beside `mlflow server`, both on SQLite, one after the other, with the same requests.

    python tracking.py --veracta target/release/veracta --mlflow target/clients/v3/bin/mlflow [--runs 10000]

Quoted is the processor time of the server's processes per request, which a busy machine disturbs least, and the time a client waits.
`--analyze` runs ANALYZE on MLflow's database before the reads.
"""

import argparse
import concurrent.futures
import contextlib
import http.client
import json
import os
import pathlib
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time

TICKS = os.sysconf("SC_CLK_TCK")


def free_port():
    """Returns a port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def tree(pid):
    """Returns a process and all that descend from it."""
    children = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
    found, todo = [], [pid]
    while todo:
        pid = todo.pop()
        found.append(pid)
        todo += children.get(pid, [])
    return found


def cpu_seconds(pid):
    """Returns the processor time that a tree of processes has used."""
    total = 0
    for member in tree(pid):
        with contextlib.suppress(OSError):
            fields = pathlib.Path(f"/proc/{member}/stat").read_text().rsplit(")", 1)[1].split()
            total += sum(int(ticks) for ticks in fields[11:15])
    return total / TICKS


def resident_mib(pid):
    """Returns the memory of a tree of processes; what several share is counted once."""
    total = 0
    for member in tree(pid):
        with contextlib.suppress(OSError):
            for line in pathlib.Path(f"/proc/{member}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
    return total / 1024


class Server:
    """A server in a folder of its own."""

    def __init__(self, name, command, folder, ready):
        self.name = name
        self.port = free_port()
        begun = time.monotonic()
        command = [part.replace("PORT", str(self.port)) for part in command]
        self.process = subprocess.Popen(
            command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        while True:
            with contextlib.suppress(OSError):
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
                connection.request("GET", ready)
                if connection.getresponse().status == 200:
                    break
            time.sleep(0.005)
        self.start_seconds = time.monotonic() - begun

    def connect(self):
        """Opens a connection that is kept."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)

    def stop(self):
        """Ends the server and all it started."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def send(connection, method, path, body=None):
    """Sends a request and returns the answer."""
    data = None if body is None else json.dumps(body).encode()
    connection.request(method, f"/api/2.0/mlflow/{path}", data, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    text = answer.read()
    if answer.status != 200:
        raise SystemExit(f"{method} {path}: {answer.status} {text[:300]}")
    return json.loads(text) if text else {}


def measure(server, connection, n_requests, request):
    """Sends a request several times; returns milliseconds of processor and median wait of each."""
    before, waits = cpu_seconds(server.process.pid), []
    for position in range(n_requests):
        begun = time.monotonic()
        request(connection, position)
        waits.append(time.monotonic() - begun)
    # Work that is put off belongs to the requests.
    time.sleep(1)
    used = cpu_seconds(server.process.pid) - before
    waits.sort()
    return 1000 * used / n_requests, 1000 * waits[len(waits) // 2]


def waits_of_eight(server, n_each, request):
    """Sends a request over eight connections at once; returns the 50th and 99th percentile of the waits in milliseconds."""

    def one(client):
        connection, waits = server.connect(), []
        for position in range(n_each):
            begun = time.monotonic()
            request(connection, client * n_each + position)
            waits.append(time.monotonic() - begun)
        return waits

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        waits = sorted(wait for part in pool.map(one, range(8)) for wait in part)
    return 1000 * waits[len(waits) // 2], 1000 * waits[int(len(waits) * 0.99)]


def fill(server, n_runs):
    """Makes runs with a metric and a parameter each; returns the experiment."""
    connection = server.connect()
    experiment = send(connection, "POST", "experiments/create", {"name": "filled"})["experiment_id"]
    for number in range(n_runs):
        run = send(connection, "POST", "runs/create", {"experiment_id": experiment, "start_time": number + 1})
        batch = {
            "run_id": run["run"]["info"]["run_id"],
            "metrics": [{"key": "auc", "value": (number * 7919 % 10007) / 10007, "timestamp": 1, "step": 0}],
            "params": [{"key": "depth", "value": str(number % 17)}],
        }
        send(connection, "POST", "runs/log-batch", batch)
    return experiment


def run_all(server, arguments, analyze):
    """Measures one server; returns rows of name, processor milliseconds and wait."""
    connection = server.connect()
    rows = []
    ids = []

    def create(connection, position):
        run = send(connection, "POST", "runs/create", {"experiment_id": "0", "start_time": position + 1})
        ids.append(run["run"]["info"]["run_id"])

    def metric(connection, position):
        send(connection, "POST", "runs/log-metric", {"run_id": ids[0], "key": "loss", "value": 0.5, "timestamp": position, "step": position})

    def batch(connection, position):
        metrics = [{"key": f"m{place % 10}", "value": place, "timestamp": position, "step": position * 10 + place // 10} for place in range(100)]
        send(connection, "POST", "runs/log-batch", {"run_id": ids[1], "metrics": metrics})

    rows.append(("create-run", *measure(server, connection, arguments.requests, create)))
    rows.append(("log-metric", *measure(server, connection, arguments.requests, metric)))
    rows.append(("log-batch of 100", *measure(server, connection, arguments.requests, batch)))
    experiment = fill(server, arguments.runs)
    # A connection that was idle meanwhile may have been closed.
    connection = server.connect()
    history = send(connection, "POST", "runs/create", {"experiment_id": "0", "start_time": 1})["run"]["info"]["run_id"]
    for start in range(0, 10_000, 1_000):
        metrics = [{"key": "long", "value": step * 0.5, "timestamp": step, "step": step} for step in range(start, start + 1_000)]
        send(connection, "POST", "runs/log-batch", {"run_id": history, "metrics": metrics})
    if analyze:
        with contextlib.closing(sqlite3.connect(analyze)) as database:
            database.execute("ANALYZE")
            database.commit()
    query = {"experiment_ids": [experiment], "filter": "metrics.auc > 0.5", "order_by": ["metrics.auc DESC"], "max_results": 100}
    rows.append((f"search {arguments.runs} runs", *measure(server, connection, 20, lambda c, _: send(c, "POST", "runs/search", query))))
    path = f"metrics/get-history?run_id={history}&metric_key=long"
    rows.append(("get-history of 10,000", *measure(server, connection, 20, lambda c, _: send(c, "GET", path))))
    p50, p99 = waits_of_eight(server, arguments.requests // 4, metric_of_own(ids))
    return rows, p50, p99


def metric_of_own(ids):
    """Returns a request that logs a metric to a run that few others write to."""

    def request(connection, position):
        body = {"run_id": ids[position % len(ids)], "key": "wait", "value": 1.0, "timestamp": position, "step": position}
        send(connection, "POST", "runs/log-metric", body)

    return request


def main():
    """Parses the command line, measures both, prints a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--veracta", required=True, type=pathlib.Path)
    parser.add_argument("--mlflow", required=True, type=pathlib.Path)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--analyze", action="store_true")
    arguments = parser.parse_args()
    results = {}
    with tempfile.TemporaryDirectory(prefix="tracking-") as name:
        folder = pathlib.Path(name)
        ours, theirs = folder / "ours", folder / "theirs"
        ours.mkdir()
        theirs.mkdir()
        veracta = str(arguments.veracta.absolute())
        subprocess.run([veracta, "init"], cwd=ours, check=True, stdout=subprocess.DEVNULL)
        mlflow = [
            str(arguments.mlflow.absolute()), "server", "--backend-store-uri", f"sqlite:///{theirs}/mlflow.db",
            "--artifacts-destination", str(theirs / "artifacts"), "--host", "127.0.0.1", "--port", "PORT",
        ]  # fmt: skip
        for label, command, place, analyze in [
            ("veracta", [veracta, "serve", "--listen", "127.0.0.1:PORT", "--rate", "1000000"], ours, None),
            ("mlflow", mlflow, theirs, theirs / "mlflow.db" if arguments.analyze else None),
        ]:
            server = Server(label, command, place, "/health")
            time.sleep(3)
            idle = resident_mib(server.process.pid)
            try:
                rows, p50, p99 = run_all(server, arguments, analyze)
            finally:
                server.stop()
            results[label] = (rows, p50, p99, idle, server.start_seconds)
    print_table(results)


def print_table(results):
    """Prints the results as Markdown."""
    print("| request | veracta CPU ms | mlflow CPU ms | ratio | veracta wait ms | mlflow wait ms |")
    print("|---|---|---|---|---|---|")
    for ours, theirs in zip(results["veracta"][0], results["mlflow"][0]):
        ratio = theirs[1] / ours[1] if ours[1] else float("inf")
        print(f"| {ours[0]} | {ours[1]:.3f} | {theirs[1]:.2f} | {ratio:.0f}x | {ours[2]:.2f} | {theirs[2]:.1f} |")
    for label, (_, p50, p99, idle, start) in results.items():
        print(f"{label}: log-metric over 8 connections p50 {p50:.1f} ms, p99 {p99:.1f} ms; idle {idle:.0f} MiB; ready after {start:.2f} s")


if __name__ == "__main__":
    main()
