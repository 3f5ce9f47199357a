"""Measures this server beside `mlflow server`, both on SQLite, one after the other, with the same requests.

    python tracking.py --veracta target/release/veracta --mlflow target/clients/v3/bin/mlflow [--runs 10000]

Quoted is the processor time of the server's processes per request, which a busy machine disturbs least, and the time a client waits. What a
server uses when nobody asks it is measured first and subtracted. MLflow's reads are measured twice, before and after ANALYZE of its database.

The runs that are searched come to this server through its API. MLflow's server would take an hour and more for 10,000: one run is made through its
API, and copies of its rows, with the same values as here, are written into its SQLite file.
"""

import argparse
import collections
import concurrent.futures
import contextlib
import http.client
import itertools
import json
import os
import pathlib
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time
import uuid

TICKS = os.sysconf("SC_CLK_TCK")
# A kind of request is repeated at least so long: processor time is told in steps of 10 ms.
SECONDS_LEAST = 3
# What a server does by itself is measured so long at a time, until it does less than a share of a processor: MLflow's workers start for a while.
IDLE_SECONDS = 10
IDLE_RATE_MAX = 0.1
IDLE_TRIALS = 30
N_CLIENTS = 8

# Milliseconds of processor time a request, and milliseconds that a client waited.
Measured = collections.namedtuple("Measured", "cpu_ms p50_ms p99_ms n_requests")


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

    def __init__(self, command, folder, ready="/health", environment=None):
        self.port = free_port()
        self.idle_rate = 0
        begun = time.monotonic()
        command = [part.replace("PORT", str(self.port)) for part in command]
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
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

    def settle(self):
        """Waits until the server has settled, and measures the processor time that it uses a second when nobody asks it."""
        for _ in range(IDLE_TRIALS):
            before = cpu_seconds(self.process.pid)
            time.sleep(IDLE_SECONDS)
            self.idle_rate = (cpu_seconds(self.process.pid) - before) / IDLE_SECONDS
            if self.idle_rate < IDLE_RATE_MAX:
                return

    def stop(self):
        """Ends the server and all it started."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def ask(connection, method, path, body=None):
    """Sends a request and returns the answer's bytes."""
    data = None if body is None else json.dumps(body).encode()
    connection.request(method, f"/api/2.0/mlflow/{path}", data, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    text = answer.read()
    if answer.status != 200:
        raise SystemExit(f"{method} {path}: {answer.status} {text[:300]}")
    return text


def send(connection, method, path, body=None):
    """Sends a request and returns what the answer says."""
    return json.loads(ask(connection, method, path, body))


def percentile(waits, part):
    """Returns a percentile of seconds in milliseconds."""
    return 1000 * sorted(waits)[int(len(waits) * part)]


def waits_of(connection, n_requests, request, positions):
    """Sends a request at least so often and so long; returns the waits."""
    begun, waits = time.monotonic(), []
    while len(waits) < n_requests or time.monotonic() < begun + SECONDS_LEAST:
        position = next(positions)
        sent = time.monotonic()
        request(connection, position)
        waits.append(time.monotonic() - sent)
    return waits


def measure(server, n_requests, request):
    """Measures a request over one connection."""
    begun, before = time.monotonic(), cpu_seconds(server.process.pid)
    waits = waits_of(server.connect(), n_requests, request, itertools.count())
    # Work that is put off belongs to the requests.
    time.sleep(1)
    used = cpu_seconds(server.process.pid) - before - server.idle_rate * (time.monotonic() - begun)
    return Measured(1000 * max(used, 0) / len(waits), percentile(waits, 0.5), percentile(waits, 0.99), len(waits))


def measure_of_eight(server, n_requests, request):
    """Measures the waits of a request over eight connections at once."""

    def one(client):
        return waits_of(server.connect(), n_requests // N_CLIENTS, request, itertools.count(client, N_CLIENTS))

    with concurrent.futures.ThreadPoolExecutor(N_CLIENTS) as pool:
        waits = [wait for part in pool.map(one, range(N_CLIENTS)) for wait in part]
    return percentile(waits, 0.5), percentile(waits, 0.99)


def create_run(connection, experiment, start_ms):
    """Makes a run and returns its id."""
    run = send(connection, "POST", "runs/create", {"experiment_id": experiment, "start_time": start_ms})
    return run["run"]["info"]["run_id"]


def auc_of(number):
    """Returns the metric of a run by its number, in no order."""
    return (number * 7919 % 10007) / 10007


def fill(server, n_runs):
    """Makes runs with a metric and a parameter each; returns their experiment and the last one's id."""
    connection = server.connect()
    experiment = send(connection, "POST", "experiments/create", {"name": "filled"})["experiment_id"]
    for number in range(n_runs):
        run_id = create_run(connection, experiment, number + 1)
        metrics = [{"key": "auc", "value": auc_of(number), "timestamp": 1, "step": 0}]
        batch = {"run_id": run_id, "metrics": metrics, "params": [{"key": "depth", "value": str(number % 17)}]}
        send(connection, "POST", "runs/log-batch", batch)
    return experiment, run_id


def multiply(database, run_id, n_runs):
    """Writes copies of a run into MLflow's database, with the values that `fill` gives them."""
    ids = [uuid.uuid4().hex for _ in range(1, n_runs)]
    for table in ["runs", "tags", "params", "metrics", "latest_metrics"]:
        rows = database.execute(f"SELECT * FROM {table} WHERE run_uuid = ?", (run_id,))
        columns = [column[0] for column in rows.description]
        for template in rows.fetchall():
            copies = []
            for number, copy_id in enumerate(ids, 1):
                row = {name: value.replace(run_id, copy_id) if isinstance(value, str) else value for name, value in zip(columns, template)}
                if table == "runs":
                    row["start_time"] = number + 1
                if table == "params":
                    row["value"] = str(number % 17)
                if table in ("metrics", "latest_metrics"):
                    row["value"] = auc_of(number)
                copies.append(tuple(row.values()))
            database.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(columns))})", copies)
    database.commit()


def writes(server):
    """Returns the kinds of writes by name."""
    ids = [create_run(server.connect(), "0", 1) for _ in range(N_CLIENTS)]
    # No value is logged twice, whoever logs it.
    numbers = itertools.count()

    def create(connection, position):
        ask(connection, "POST", "runs/create", {"experiment_id": "0", "start_time": position + 1})

    def metric(connection, position):
        number = next(numbers)
        body = {"run_id": ids[position % len(ids)], "key": "loss", "value": 0.5, "timestamp": number, "step": number}
        ask(connection, "POST", "runs/log-metric", body)

    def batch(connection, position):
        first = 10 * next(numbers)
        metrics = [{"key": f"m{place % 10}", "value": place, "timestamp": first, "step": first + place // 10} for place in range(100)]
        ask(connection, "POST", "runs/log-batch", {"run_id": ids[position % len(ids)], "metrics": metrics})

    return {"create-run": create, "log-metric": metric, "log-batch of 100": batch}


def reads(server, experiment, history, n_runs):
    """Measures a search and a long history."""
    query = {"experiment_ids": [experiment], "filter": "metrics.auc > 0.5", "order_by": ["metrics.auc DESC"], "max_results": 100}
    path = f"metrics/get-history?run_id={history}&metric_key=long"
    requests = {
        f"search of {n_runs:,} runs": lambda connection, _: ask(connection, "POST", "runs/search", query),
        "get-history of 10,000": lambda connection, _: ask(connection, "GET", path),
    }
    return {name: measure(server, 20, request) for name, request in requests.items()}


def history_of(server, n_points):
    """Makes a run with so many values of one metric; returns its id."""
    connection = server.connect()
    run_id = create_run(connection, "0", 1)
    for start in range(0, n_points, 100):
        metrics = [{"key": "long", "value": step * 0.5, "timestamp": step, "step": step} for step in range(start, start + 100)]
        send(connection, "POST", "runs/log-batch", {"run_id": run_id, "metrics": metrics})
    return run_id


def run_all(server, arguments, peer_database=None):
    """Measures one server: memory when idle, writes, and reads, of the peer twice."""
    server.settle()
    memory_mib = resident_mib(server.process.pid)
    requests = writes(server)
    alone = {name: measure(server, arguments.requests, request) for name, request in requests.items()}
    of_eight = {name: measure_of_eight(server, arguments.requests, request) for name, request in requests.items()}
    history = history_of(server, 10_000)
    if not peer_database:
        experiment, _ = fill(server, arguments.runs)
        before = after = reads(server, experiment, history, arguments.runs)
    else:
        experiment, template = fill(server, 1)
        with contextlib.closing(sqlite3.connect(peer_database, timeout=600)) as database:
            multiply(database, template, arguments.runs)
            before = reads(server, experiment, history, arguments.runs)
            database.execute("ANALYZE")
            database.commit()
        after = reads(server, experiment, history, arguments.runs)
    rows = {**alone, **before, **{f"{name}, after ANALYZE": measured for name, measured in after.items()}}
    idle = f"{memory_mib:.0f} MiB and {1000 * server.idle_rate:.1f} ms of processor time a second when idle"
    return rows, of_eight, f"{idle}; ready after {server.start_seconds:.2f} s"


def main():
    """Parses the command line, measures both, prints tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--veracta", required=True, type=pathlib.Path)
    parser.add_argument("--mlflow", required=True, type=pathlib.Path)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--requests", type=int, default=200)
    arguments = parser.parse_args()
    results = {}
    with tempfile.TemporaryDirectory(prefix="tracking-") as name:
        ours, theirs = pathlib.Path(name, "ours"), pathlib.Path(name, "theirs")
        ours.mkdir()
        theirs.mkdir()
        veracta = str(arguments.veracta.absolute())
        subprocess.run([veracta, "init"], cwd=ours, check=True, stdout=subprocess.DEVNULL)
        serve = [veracta, "serve", "--listen", "127.0.0.1:PORT", "--rate", "1000000"]
        mlflow = [
            str(arguments.mlflow.absolute()), "server", "--backend-store-uri", f"sqlite:///{theirs}/mlflow.db",
            "--artifacts-destination", str(theirs / "artifacts"), "--host", "127.0.0.1", "--port", "PORT",
        ]  # fmt: skip
        for label, command, place, peer_database in [("veracta", serve, ours, None), ("mlflow", mlflow, theirs, theirs / "mlflow.db")]:
            server = Server(command, place)
            try:
                results[label] = run_all(server, arguments, peer_database)
            finally:
                server.stop()
    print_tables(results)


def print_tables(results):
    """Prints the results as Markdown."""
    (ours, ours_of_eight, our_start), (theirs, theirs_of_eight, their_start) = results["veracta"], results["mlflow"]
    print("| request | veracta CPU ms | mlflow CPU ms | ratio | veracta p50, p99 ms | mlflow p50, p99 ms |")
    print("|---|---|---|---|---|---|")
    for name, own in ours.items():
        peer = theirs[name]
        ratio = peer.cpu_ms / own.cpu_ms if own.cpu_ms else float("inf")
        waits = f"{own.p50_ms:.2f}, {own.p99_ms:.2f} | {peer.p50_ms:.0f}, {peer.p99_ms:.0f}"
        print(f"| {name} | {own.cpu_ms:.3f} | {peer.cpu_ms:.1f} | {ratio:.0f}x | {waits} |")
    print("\n| over 8 connections | veracta p50, p99 ms | mlflow p50, p99 ms |")
    print("|---|---|---|")
    for name, (p50, p99) in ours_of_eight.items():
        peer_p50, peer_p99 = theirs_of_eight[name]
        print(f"| {name} | {p50:.2f}, {p99:.2f} | {peer_p50:.0f}, {peer_p99:.0f} |")
    print(f"\nveracta: {our_start}\nmlflow: {their_start}")


if __name__ == "__main__":
    main()
