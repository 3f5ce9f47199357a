"""Records what a client was answered, in a form that is the same on every run.

A step is a name and a callable. Its answer is turned into plain JSON values and every value that a
server or a clock invents is replaced by a placeholder: `<run-1>` is the first run id that appeared,
`<time>` any instant near now. Nothing is dropped: a value that changes between runs without a
placeholder shows up as a difference.
"""

import contextlib
import enum
import hashlib
import inspect
import json
import math
import re
import time

DAY_MS = 24 * 60 * 60 * 1000
HEX_32 = re.compile(r"(?:(?<![0-9a-zA-Z])|(?<=%2F))[0-9a-f]{32}(?![0-9a-zA-Z])")
MODEL_ID = re.compile(r"(?<![0-9a-zA-Z])m-[0-9a-f]{32}(?![0-9a-zA-Z])")
TRACE_ID = re.compile(r"(?<![0-9a-zA-Z])tr-[0-9a-f]{32}(?![0-9a-zA-Z])")
# Version 2 of the client puts a letter first in the names of images.
UUID = re.compile(r"[0-9a-z][0-9a-f]{7}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
INVENTED_NAME = re.compile(r"^[a-z]+-[a-z]+-\d{1,4}$")
EPOCH_MS = re.compile(r"(?<![0-9.])1[0-9]{12}(?![0-9.])")
ISO_TIME = re.compile(r"20\d\d-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(\+00:00|Z)?")
EXPERIMENT_IN_TEXT = re.compile(
    r"(?P<before>xperiment[^0-9<>/]{0,25}(?<!-)|artifacts:/|artifacts/|_id=|[?&]path=)(?P<id>\d+)\b"
)
ADDRESS = re.compile(r"\b0x[0-9a-f]{6,}")
TEMPORARY_NAME = re.compile(r"(?<=/)tmp[a-z0-9_]{8}(?=/|\b)")
EXPERIMENT_IN_PATH = re.compile(r"(?<![0-9a-zA-Z/-])(?P<before>)(?P<id>\d+)(?=/<run-|/models/<model-)")
SET_IN_TEXT = re.compile(r"\{('[^'{}]*'(, )?)+\}")
SQL_IN_TEXT = re.compile(r"(\(raised as a result of [^)]*\)\s*)?\((sqlite3|psycopg2?)\..*", re.DOTALL)
# Files that hold an id, a version or an instant: their size may change between runs.
FILES_OF_VARYING_SIZE = re.compile(
    r"(MLmodel|conda\.yaml|python_env\.yaml|requirements\.txt|\.html|\.png|\.webp)$"
)


class Placeholders:
    """Gives each invented value a stable name, numbered in order of first appearance."""

    def __init__(self, literals):
        self.literals = sorted(literals.items(), key=lambda pair: -len(pair[0]))
        self.names = {}
        self.counts = {}
        self.started_ms = time.time() * 1000

    def name(self, kind, value):
        """Returns the placeholder of `value`, inventing one when it is new."""
        if (kind, value) not in self.names:
            self.counts[kind] = self.counts.get(kind, 0) + 1
            self.names[kind, value] = f"<{kind}-{self.counts[kind]}>"
        return self.names[kind, value]

    def experiment(self, value):
        """Returns the placeholder of an experiment id; `0` is the default experiment everywhere."""
        return "0" if str(value) == "0" else self.name("experiment", str(value))

    def near_now(self, epoch_ms):
        """Tells whether a number can only be an instant of this session."""
        return abs(epoch_ms - self.started_ms) < DAY_MS

    def text(self, text):
        """Replaces every invented value inside a text."""
        for literal, placeholder in self.literals:
            text = text.replace(literal, placeholder)
        text = ADDRESS.sub("<address>", TEMPORARY_NAME.sub("<temporary>", text))
        text = SQL_IN_TEXT.sub("<sql>", text)
        text = SET_IN_TEXT.sub(sorted_set, text)
        if INVENTED_NAME.match(text):
            return self.name("invented-name", text)
        for pattern, kind in ((MODEL_ID, "model"), (TRACE_ID, "trace"), (UUID, "uuid"), (HEX_32, "run")):
            text = pattern.sub(lambda match, kind=kind: self.identifier(kind, match.group()), text)
        text = EPOCH_MS.sub(
            lambda match: "<time>" if self.near_now(int(match.group())) else match.group(), text
        )
        text = ISO_TIME.sub(lambda match: "<time>" if self.is_recent(match.group()) else match.group(), text)
        text = EXPERIMENT_IN_PATH.sub(self.experiment_in_text, text)
        return EXPERIMENT_IN_TEXT.sub(self.experiment_in_text, text)

    def identifier(self, kind, value):
        """Names an id, except one that the script made up (a single repeated digit)."""
        digits = value.rsplit("-", 1)[-1]
        return value if len(set(digits)) == 1 else self.name(kind, value)

    def is_recent(self, iso_text):
        """Tells whether an ISO time lies within a day of now."""
        day = time.mktime(time.strptime(iso_text[:10], "%Y-%m-%d")) * 1000
        return abs(day - self.started_ms) < 2 * DAY_MS

    def experiment_in_text(self, match):
        """Replaces the id of an experiment that is known already; other numbers stay."""
        value = match.group("id")
        return match.group("before") + self.names.get(("experiment", value), value)


class Transcript:
    """The answers so far, and the place they are written to."""

    def __init__(self, literals):
        self.placeholders = Placeholders(literals)
        self.entries = []
        self.step_names = set()
        self.last_http_status = None

    def step(self, name, call, kind=None, digits=None):
        """Runs `call` and records its answer or refusal. Returns the raw answer, or None.

        `kind` names a bare id ("experiment"); `digits` rounds computed numbers that may differ between
        processors.
        """
        if name in self.step_names:
            raise SystemExit(f"two steps are called `{name}`")
        self.step_names.add(name)
        self.last_http_status = None
        answer = None
        try:
            answer = call()
            entry = {"step": name, "answer": self.normalised(answer, kind, digits)}
        except Exception as error:
            entry = {"step": name, "refused": self.refusal(error)}
        self.entries.append(entry)
        # Two writes never share a millisecond, so an order by time is the same on every run.
        time.sleep(0.002)
        return answer

    def normalised(self, answer, kind, digits):
        """Turns an answer into JSON values without invented parts."""
        if kind == "experiment" and answer is not None:
            return self.placeholders.experiment(answer)
        return self.normalise(plain(answer), digits)

    def refusal(self, error):
        """Describes an exception: its type, MLflow's code when it has one, the HTTP status, the message."""
        return {
            "type": type(error).__name__,
            "error_code": getattr(error, "error_code", None),
            "http_status": self.last_http_status,
            "message": self.placeholders.text(shortened(str(getattr(error, "message", error)))),
        }

    def normalise(self, value, digits, key=None):
        """Replaces the invented parts of a plain value."""
        if isinstance(value, dict):
            return self.normalise_object(value, digits)
        if isinstance(value, list):
            return [self.normalise(item, digits, key) for item in value]
        if key in ("experiment_id", "experiment_ids") and isinstance(value, (str, int)):
            return self.placeholders.experiment(value) if str(value).isdigit() else value
        if key == "next_page_token":
            return "<token>"
        if key == "_mlflow_experiment_ids":
            return re.sub(r"\d+", lambda match: self.placeholders.experiment(match.group()), value)
        if isinstance(value, str):
            return self.placeholders.text(value)
        if isinstance(value, bool) or value is None:
            return value
        if isinstance(value, int) and self.placeholders.near_now(value):
            return "<time>"
        if isinstance(value, float) and digits is not None:
            return float(f"{value:.{digits}g}")
        return value

    def normalise_object(self, value, digits):
        """Replaces the invented parts of an object, its keys included."""
        result = {}
        if str(value.get("experiment_id")).isdigit():
            self.placeholders.experiment(value["experiment_id"])
        for key in sorted(value):
            name = self.placeholders.text(key)
            result[name] = self.normalise(value[key], digits, key)
        path = value.get("path")
        if isinstance(path, str) and "file_size" in value and FILES_OF_VARYING_SIZE.search(path):
            result["file_size"] = "<size>"
        return result

    def write(self, path):
        """Writes all entries, one value per line."""
        with open(path, "w", encoding="utf-8") as file:
            json.dump(self.entries, file, indent=1, ensure_ascii=False, sort_keys=True)
            file.write("\n")


def sorted_set(match):
    """Sorts the members of a printed Python set, whose order changes between processes."""
    return "{" + ", ".join(sorted(match.group()[1:-1].split(", "))) + "}"


def label(value, limit=30):
    """Returns a value as part of a step name; of a long one the start and the length."""
    text = repr(value)
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"


def shortened(text, limit=1500):
    """Cuts an over-long message, saying how much is left out."""
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"


def plain(value):
    """Turns an answer of the client into JSON values, entities into objects of their public fields."""
    if value is None or isinstance(value, (bool, int, str)) and not isinstance(value, enum.Enum):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, (bytes, bytearray)):
        return {"bytes": len(value), "sha256": hashlib.sha256(value).hexdigest()}
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted(plain(item) for item in value)
    if hasattr(value, "token") and isinstance(value, list):
        return {"items": [plain(item) for item in value], "more": bool(value.token)}
    if isinstance(value, (list, tuple)) or type(value).__name__.startswith("Repeated"):
        return [plain(item) for item in value]
    return plain_object(value)


def plain_object(value):
    """Turns an object of numpy, pandas or MLflow into JSON values."""
    package = type(value).__module__.split(".")[0]
    if package == "numpy":
        return plain(value.tolist())
    if package == "pandas" and hasattr(value, "columns"):
        return plain_frame(value)
    if package == "pandas" and hasattr(value, "isoformat"):
        return str(value)
    if package == "pandas":
        return plain(value.tolist())
    if package == "mlflow" and hasattr(value, "DESCRIPTOR"):
        return str(value)
    if package == "mlflow":
        return plain(public_fields(value))
    return f"<{type(value).__name__}>"


def plain_frame(frame):
    """Turns a data frame into its sorted columns; a missing value is None."""
    missing = frame.isna()
    return {
        column: [
            None if missing[column].iloc[row] else plain(frame[column].iloc[row]) for row in range(len(frame))
        ]
        for column in sorted(frame.columns)
    }


def public_fields(entity):
    """Returns the public properties and attributes of an MLflow entity."""
    names = {name for name, member in inspect.getmembers(type(entity)) if isinstance(member, property)}
    names |= set(getattr(entity, "__dict__", {}))
    fields = {}
    for name in sorted(names):
        if name.startswith("_"):
            continue
        try:
            fields[name] = getattr(entity, name)
        except Exception as error:
            fields[name] = f"<{type(error).__name__}>"
    return fields


@contextlib.contextmanager
def watched_http(transcript, routes):
    """Notes the status of each HTTP answer, and which method and path was asked for.

    Turns retries off as well: a refusal with status 500 is to be seen, not the client's patience.
    """
    import requests
    import urllib3

    send = requests.Session.send
    once = urllib3.Retry(total=0, read=False, redirect=5, raise_on_status=False)

    def noting_send(session, request, **options):
        session.get_adapter(request.url).max_retries = once
        answer = send(session, request, **options)
        if answer.status_code >= 500:
            # A server that failed may close the connection after its answer; it must not be used again.
            session.close()
        transcript.last_http_status = answer.status_code
        routes.add(f"{request.method} {route_of(request.path_url)}")
        return answer

    requests.Session.send = noting_send
    try:
        yield
    finally:
        requests.Session.send = send


def route_of(path_url):
    """Strips the query and replaces ids, so that a path names its route."""
    path = path_url.split("?")[0]
    path = re.sub(r"(mlflow-artifacts/(artifacts|presigned|mpu/[a-z]+))/.*", r"\1/{path}", path)
    path = re.sub(r"/m-[0-9a-f]{32}", "/{model_id}", path)
    path = re.sub(r"/[0-9a-f-]{36}", "/{webhook_id}", path)
    return re.sub(r"/tags/.+", "/tags/{key}", path)
