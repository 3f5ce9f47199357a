"""Measures an upload and a download of a large file through this server, its memory meanwhile, and how soon and how small it starts.

    python artifact.py --veracta target/release/veracta [--s3 target/tools/bin/s3s-fs] [--gigabytes 5]

The file is made while it is sent and checked while it comes back; this program keeps none of it. It takes part of the processor: what it needs
to compute digests counts in the download, not in the upload. With `--s3` files are kept by that server as well, on the same machine.
"""

import argparse
import contextlib
import hashlib
import http.client
import pathlib
import random
import socket
import statistics
import subprocess
import tempfile
import time

from tracking import Server, cpu_seconds, free_port, resident_mib

PIECE = 1 << 20
PATH = "/api/2.0/mlflow-artifacts/artifacts/large.bin"
N_STARTS = 5
BUCKET = "bucket"
ACCESS_KEY, SECRET_KEY = "access", "secret"


def pieces(n_bytes):
    """Yields the file; no two pieces are equal."""
    noise = random.Random(0).randbytes(PIECE - 8)
    for start in range(0, n_bytes, PIECE):
        yield (start.to_bytes(8, "big") + noise)[: n_bytes - start]


def digest_of(parts):
    """Returns the SHA-256 of bytes that come in parts."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def answer_to(server, method, body=None, headers=None):
    """Sends a request for the file and returns the answer, which is not read yet."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=600)
    connection.request(method, PATH, body, headers or {})
    answer = connection.getresponse()
    if answer.status != 200:
        raise SystemExit(f"{method}: {answer.status} {answer.read()[:300]}")
    return answer


def memory_mib(server, name):
    """Returns a figure of the server's memory, such as VmHWM, the peak of what was resident."""
    for line in pathlib.Path(f"/proc/{server.process.pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    raise SystemExit(f"the system does not tell {name}")


def observe(server, n_bytes, transfer):
    """Runs a transfer; returns megabytes a second, the server's peak memory and its processor seconds."""
    # The peak begins anew.
    pathlib.Path(f"/proc/{server.process.pid}/clear_refs").write_text("5")
    begun, before = time.monotonic(), cpu_seconds(server.process.pid)
    transfer()
    seconds = time.monotonic() - begun
    return f"{n_bytes / 1e6 / seconds:.0f} | {memory_mib(server, 'VmHWM'):.0f} | {cpu_seconds(server.process.pid) - before:.1f}"


def measure(server, n_bytes):
    """Measures an upload and a download; returns a row of each by name."""
    expected = digest_of(pieces(n_bytes))

    def upload():
        answer_to(server, "PUT", pieces(n_bytes), {"Content-Length": str(n_bytes)}).read()

    def download():
        answer = answer_to(server, "GET")
        if digest_of(iter(lambda: answer.read(PIECE), b"")) != expected:
            raise SystemExit("what came back differs from what was sent")

    return {"upload": observe(server, n_bytes, upload), "download": observe(server, n_bytes, download)}


def start(veracta, folder, options=(), environment=None):
    """Begins a workspace in a folder and serves it."""
    folder.mkdir()
    subprocess.run([veracta, "init", *options], cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
    return Server([veracta, "serve", *options, "--listen", "127.0.0.1:PORT"], folder, environment=environment)


@contextlib.contextmanager
def s3_server(program, folder):
    """Runs an S3 server with one bucket; gives what a client's environment needs."""
    (folder / BUCKET).mkdir(parents=True)
    port = free_port()
    command = [program, "--access-key", ACCESS_KEY, "--secret-key", SECRET_KEY, "--host", "127.0.0.1", "--port", str(port), folder]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.02)
        variables = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY, "AWS_REGION": "us-east-1"}
        # This server puts the parts of an upload together before it answers, which takes longer than the 30 s that a request has by default.
        yield {**variables, "AWS_ALLOW_HTTP": "true", "AWS_TIMEOUT": "15 minutes", "AWS_ENDPOINT": f"http://127.0.0.1:{port}"}
    finally:
        process.kill()
        process.wait()


def report(place, server, n_bytes):
    """Measures a server and prints its rows."""
    try:
        for name, figures in measure(server, n_bytes).items():
            print(f"| {name}, {place} | {figures} |", flush=True)
    finally:
        server.stop()


def main():
    """Parses the command line, measures, prints a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--veracta", required=True, type=pathlib.Path)
    parser.add_argument("--s3", type=pathlib.Path, help="program s3s-fs")
    parser.add_argument("--gigabytes", type=float, default=5)
    arguments = parser.parse_args()
    veracta, n_bytes = str(arguments.veracta.absolute()), int(arguments.gigabytes * 1e9)
    print(f"| {arguments.gigabytes:g} GB | MB/s | peak memory MiB | server's CPU s |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="artifact-") as name:
        report("folder", start(veracta, pathlib.Path(name, "local")), n_bytes)
    if arguments.s3:
        with tempfile.TemporaryDirectory(prefix="artifact-") as name, s3_server(arguments.s3, pathlib.Path(name, "s3")) as environment:
            options = ["--objects", f"s3://{BUCKET}/folder"]
            report("S3", start(veracta, pathlib.Path(name, "workspace"), options, environment), n_bytes)
    ready_after = []
    for _ in range(N_STARTS):
        with tempfile.TemporaryDirectory(prefix="artifact-") as name:
            server = start(veracta, pathlib.Path(name, "empty"))
            ready_after.append(server.start_seconds)
            time.sleep(3)
            memory = f"{memory_mib(server, 'VmRSS'):.1f} MiB resident, {resident_mib(server.process.pid):.1f} MiB with shared pages by part"
            server.stop()
    print(f"\nready after {statistics.median(ready_after):.3f} s (median of {N_STARTS}); {memory} when idle")


if __name__ == "__main__":
    main()
