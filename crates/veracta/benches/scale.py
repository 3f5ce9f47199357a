"""Measures this server on PostgreSQL while its database grows to a million runs.

    python scale.py --veracta target/release/veracta --postgres /usr/lib/postgresql/15/bin [--runs 1000000] [--points 100]

Writes and reads are measured when the database is empty, a tenth full, and full. Experiments, registered models and the runs that are written to
come through the API. What fills the database does not: rows are written straight into the tables, in order of their keys, as the API would take
days. `veracta verify` says of such runs that they have ended and no record tells of them.

A filled run has 20 metrics with a share of the points each, 5 parameters and 3 tags. One experiment has half of the runs, 49 others the rest.
VACUUM (ANALYZE) and a checkpoint stand in for what PostgreSQL does by itself while a database grows slowly.

PostgreSQL's settings are its defaults, `fsync` and `synchronous_commit` among them, but for `max_wal_size`, so that checkpoints do not hold up the
filling, and `auto_explain`, which writes the plan of a statement over 50 ms to the log. `--keep` leaves both servers running until Enter is pressed.
"""

import argparse
import collections
import contextlib
import hashlib
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

from tracking import Server, ask, cpu_seconds, free_port, history_of, measure, resident_mib, send, writes

LEVELS = [0, 0.1, 1]
N_KEYS = 20
N_EXPERIMENTS = 50
N_MODELS = 200
# Runs that are added in one transaction.
BATCH_RUNS = 10_000
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "max_wal_size": "8GB",
    "session_preload_libraries": "auto_explain",
    "auto_explain.log_min_duration": "50ms",
}

# What a level was measured with: processor time a request of this server and of PostgreSQL, and waits.
Row = collections.namedtuple("Row", "measured postgres_cpu_ms")

# Runs number {first} to {last}; the ids of a million runs differ by their digest.
FILL = """
SET auto_explain.log_min_duration = -1;
INSERT INTO runs (run_no, run_id, experiment_id, name, user_id, status, start_ms, end_ms, stage, artifact_uri)
SELECT r, md5(r::text), CASE WHEN r % 2 = 0 THEN {big} ELSE (ARRAY[{others}])[1 + r / 2 % {n_others}] END, 'run-' || r, 'user-' || r % 30,
    'FINISHED', {begin} + r * 1000, {begin} + r * 1000 + 900, 'active', 'mlflow-artifacts:/filled/' || md5(r::text) || '/artifacts'
FROM generate_series({first}::bigint, {last}) r;
INSERT INTO params (run_no, name, value)
SELECT r, p.name, p.value FROM generate_series({first}::bigint, {last}) r, LATERAL (VALUES ('batch_size', (16 << (r / 2 % 5)::int)::text),
    ('depth', (r / 2 % 17)::text), ('learning_rate', (0.001 * (1 + r / 2 % 100))::text), ('optimizer', (ARRAY['adam', 'lion', 'sgd'])[1 + r % 3]),
    ('seed', r::text)) p (name, value);
INSERT INTO tags (run_no, name, value)
SELECT r, t.name, t.value FROM generate_series({first}::bigint, {last}) r, LATERAL (VALUES ('mlflow.runName', 'run-' || r),
    ('mlflow.source.name', 'train-' || r / 2 % 7 || '.py'), ('team', 'team-' || r / 2 % 20)) t (name, value);
INSERT INTO metrics (run_no, key_no, timestamp_ms, step, value, is_nan)
SELECT {first} + n / {points}, 1 + n % {points} / {steps}, {begin} + ({first} + n / {points}) * 1000 + n % {steps}, n % {steps}, {value}, 0
FROM generate_series(0::bigint, ({last} - {first} + 1) * {points} - 1) n;
INSERT INTO latest_metrics (run_no, key_no, timestamp_ms, step, value, is_nan)
SELECT {first} + n / {points}, 1 + n % {points} / {steps}, {begin} + ({first} + n / {points}) * 1000 + n % {steps}, n % {steps}, {value}, 0
FROM generate_series({steps} - 1::bigint, ({last} - {first} + 1) * {points} - 1, {steps}) n;
"""
VALUE = "hashint8({first} * {points} + n)::bigint / 4294967296.0 + 0.5"


class Postgres:
    """A PostgreSQL cluster in a folder of its own."""

    def __init__(self, programs, folder):
        self.programs, self.port, self.log = programs, free_port(), folder / "log"
        # PostgreSQL refuses to be run by root.
        owner = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
        if owner:
            shutil.chown(folder, "postgres")
        initdb = [programs / "initdb", "--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-locale", "--pgdata", folder / "data"]
        subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL, **owner)
        command = [programs / "postgres", "-D", folder / "data", "-k", folder, "-p", str(self.port)]
        for name, value in SETTINGS.items():
            command += ["-c", f"{name}={value}"]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True, **owner)
        self.url = f"postgres://postgres@127.0.0.1:{self.port}/postgres"
        while subprocess.run([programs / "pg_isready", "--quiet", "--dbname", self.url], check=False).returncode:
            time.sleep(0.1)

    def sql(self, *statements):
        """Runs statements, each in a transaction of its own, and returns what they print."""
        command = [self.programs / "psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set", "ON_ERROR_STOP=1"]
        for statement in statements:
            command += ["--command", statement]
        return subprocess.run([*command, self.url], check=True, capture_output=True, text=True).stdout.strip()

    def stop(self):
        """Ends PostgreSQL, with all that is connected."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait()


def prepare(server):
    """Makes what comes through the API; returns the experiments, and runs with 100 and with 10,000 values of a metric."""
    connection = server.connect()
    run = send(connection, "POST", "runs/create", {"experiment_id": "0", "start_time": 1})["run"]["info"]["run_id"]
    # Keys are numbered in the order in which they are first logged.
    metrics = [{"key": f"m{key:02}", "value": 0, "timestamp": 1, "step": 0} for key in range(N_KEYS)]
    send(connection, "POST", "runs/log-batch", {"run_id": run, "metrics": metrics})
    experiments = []
    for number in range(N_EXPERIMENTS):
        experiments.append(send(connection, "POST", "experiments/create", {"name": f"experiment {number}"})["experiment_id"])
    for number in range(N_MODELS):
        send(connection, "POST", "registered-models/create", {"name": f"model {number}"})
    return experiments, {n_points: history_of(server, n_points) for n_points in (100, 10_000)}


def fill(postgres, experiments, n_runs, n_points):
    """Adds runs; returns their numbers."""
    first = int(postgres.sql("SELECT MAX(run_no) + 1 FROM runs"))
    big, *others = experiments
    for start in range(first, first + n_runs, BATCH_RUNS):
        places = {"first": start, "last": min(start + BATCH_RUNS, first + n_runs) - 1, "points": n_points, "steps": n_points // N_KEYS}
        places |= {"big": big, "others": ", ".join(others), "n_others": len(others), "begin": 1_700_000_000_000}
        postgres.sql(FILL.format(value=VALUE.format(**places), **places))
    postgres.sql("VACUUM (ANALYZE)", "CHECKPOINT")
    return range(first, first + n_runs)


def any_run(filled, position):
    """Returns the number of a filled run, in no order; 0 when there is none."""
    return filled[position * 7919 % len(filled)] if filled else 0


def searches(server, experiments, filled):
    """Returns the kinds of searches by name."""
    big = experiments[0]

    def search(describe, experiment_ids=(big,), **fields):
        def request(connection, position):
            body = {"experiment_ids": experiment_ids, "max_results": 100, "filter": describe(position), **fields}
            ask(connection, "POST", "runs/search", body)

        return request

    listing = {"experiment_ids": [big], "max_results": 100}
    token = send(server.connect(), "POST", "runs/search", listing).get("next_page_token", "")
    return {
        "search, metric filter and order": search(lambda position: f"metrics.m07 > 0.{20 + position % 60}", order_by=["metrics.m07 DESC"]),
        "search, metric filter, few runs": search(lambda position: f"metrics.m03 > 0.999{position % 10}"),
        "search, parameter filter": search(lambda position: f"params.depth = '{position % 17}'"),
        "search, parameter filter, one run": search(lambda position: f"params.seed = '{any_run(filled, position)}'"),
        "search, tag filter": search(lambda position: f"tags.team = 'team-{position % 20}'"),
        "search, tag filter, no run": search(lambda position: f"tags.team = 'nobody-{position}'"),
        "listing, newest first": search(lambda _: ""),
        "listing, second page": search(lambda _: "", page_token=token),
        "listing, page of 1,000": search(lambda _: "", max_results=1_000),
        "listing, by a metric": search(lambda _: "", order_by=["metrics.m07 DESC"]),
        "listing, all experiments": search(lambda _: "", experiment_ids=experiments),
    }


def reads(histories, filled):
    """Returns the kinds of reads by name."""

    def get(path):
        return lambda connection, position: ask(connection, "GET", path(position))

    def run_id(position):
        return hashlib.md5(str(any_run(filled, position)).encode()).hexdigest()

    of_runs = {
        f"get-history of {n_points:,}": get(lambda _, run=run: f"metrics/get-history?run_id={run}&metric_key=long")
        for n_points, run in histories.items()
    }
    if filled:
        of_runs["get-history of a filled run"] = get(lambda position: f"metrics/get-history?run_id={run_id(position)}&metric_key=m05")
        of_runs["get a filled run"] = get(lambda position: f"runs/get?run_id={run_id(position)}")
    return of_runs | {
        "experiments/search": lambda connection, _: ask(connection, "POST", "experiments/search", {"max_results": 1_000}),
        "registered-models/search": get(lambda _: "registered-models/search?max_results=100"),
    }


def measure_level(server, postgres, requests, n_requests):
    """Measures all requests at one level."""
    rows = {}
    for name, request in requests.items():
        before = cpu_seconds(postgres.process.pid)
        measured = measure(server, n_requests, request)
        rows[name] = Row(measured, 1000 * (cpu_seconds(postgres.process.pid) - before) / measured.n_requests)
        print(f"  {name}: {describe(rows[name])}", flush=True)
    return rows


def describe(row):
    """Writes a result in a few words."""
    measured = row.measured
    return f"{measured.p50_ms:.2f}, {measured.p99_ms:.2f} ({measured.cpu_ms:.2f} + {row.postgres_cpu_ms:.2f})"


def run_all(server, postgres, arguments):
    """Fills and measures, level by level; returns rows by name and level."""
    experiments, histories = prepare(server)
    server.settle()
    filled, levels = range(0), {}
    for level in LEVELS:
        n_runs = int(arguments.runs * level)
        begun = time.monotonic()
        if n_runs:
            added = fill(postgres, experiments, n_runs - len(filled), arguments.points)
            filled = [*filled, *added]
        size = int(postgres.sql("SELECT pg_database_size('postgres')")) / 1e9
        print(f"{n_runs:,} runs, {size:.1f} GB, filled in {time.monotonic() - begun:.0f} s", flush=True)
        requests = writes(server) | searches(server, experiments, filled) | reads(histories, filled)
        levels[n_runs] = measure_level(server, postgres, requests, arguments.requests)
    print(f"resident memory of this server at the end: {resident_mib(server.process.pid):.0f} MiB\n")
    return levels


def print_table(levels):
    """Prints the results as Markdown."""
    print("p50, p99 in ms (processor time of this server + of PostgreSQL in ms)\n")
    print("| request | " + " | ".join(f"{n_runs:,} runs" for n_runs in levels) + " |")
    print("|---" * (len(levels) + 1) + "|")
    *_, last = levels.values()
    for name in last:
        cells = [describe(rows[name]) if name in rows else "" for rows in levels.values()]
        print(f"| {name} | {' | '.join(cells)} |")


def main():
    """Parses the command line, measures, prints a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--veracta", required=True, type=pathlib.Path)
    parser.add_argument("--postgres", required=True, type=pathlib.Path, help="folder of PostgreSQL's programs")
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--points", type=int, default=100, help="of a run, a multiple of 20")
    parser.add_argument("--requests", type=int, default=100)
    parser.add_argument("--keep", action="store_true")
    arguments = parser.parse_args()
    veracta = str(arguments.veracta.absolute())
    with tempfile.TemporaryDirectory(prefix="scale-") as name, contextlib.ExitStack() as running:
        # PostgreSQL's own user must reach its folder.
        os.chmod(name, 0o755)
        workspace, cluster = pathlib.Path(name, "workspace"), pathlib.Path(name, "cluster")
        workspace.mkdir()
        cluster.mkdir()
        postgres = Postgres(arguments.postgres, cluster)
        running.callback(postgres.stop)
        subprocess.run([veracta, "init", "--store", postgres.url], cwd=workspace, check=True, stdout=subprocess.DEVNULL)
        serve = [veracta, "serve", "--store", postgres.url, "--listen", "127.0.0.1:PORT", "--rate", "1000000"]
        server = Server(serve, workspace)
        running.callback(server.stop)
        print_table(run_all(server, postgres, arguments))
        if arguments.keep:
            input(f"server at port {server.port}, database at {postgres.url}, its log in {postgres.log}: ")


if __name__ == "__main__":
    main()
