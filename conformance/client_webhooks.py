"""Webhooks: create, list, get, update, delete, test, and deliveries with their signatures.

The server must allow plain http and private addresses for webhooks (see `record.py`); the receiver
listens on the loopback address of the client.
"""

import base64
import hashlib
import hmac
import http.server
import json
import queue
import threading
import time

SECRET = "a secret of the test"
UNKNOWN = "00000000-0000-0000-0000-000000000000"
HEADERS = ("Content-Type", "X-MLflow-Signature", "X-MLflow-Timestamp", "X-MLflow-Delivery-Id")
EVENTS = [
    "registered_model.created", "model_version.created", "model_version_tag.set", "model_version_tag.deleted",
    "model_version_alias.created", "model_version_alias.deleted", "prompt.created", "prompt_version.created",
    "prompt_tag.set", "prompt_tag.deleted", "prompt_version_tag.set", "prompt_version_tag.deleted",
    "prompt_alias.created", "prompt_alias.deleted",
]  # fmt: skip


class Receiver(http.server.BaseHTTPRequestHandler):
    """Keeps each delivery, and answers with the status that the path names."""

    deliveries = queue.Queue()

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.deliveries.put((self.path, self.headers, body))
        status = int(self.path.strip("/")) if self.path.strip("/").isdigit() else 200
        self.send_response(status)
        self.end_headers()
        self.wfile.write(b"received")

    def log_message(self, *_arguments):
        """Prints nothing."""


def run(script):
    """Runs the section, when the client knows webhooks."""
    if not hasattr(script.client, "create_webhook"):
        return
    step, client = script.section("webhooks"), script.client
    receiver = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{receiver.server_port}"
    script.transcript.placeholders.literals.insert(0, (address, "<receiver>"))
    try:
        webhook_id = manage(step, client, address)
        refuse(step, client, address)
        test_deliveries(step, client, address, webhook_id)
        deliveries(step, client, address, webhook_id)
        delete(step, client, webhook_id)
    finally:
        receiver.shutdown()
        receiver.server_close()


def described(webhook):
    """Returns a webhook; its events sorted, as the API gives no order."""
    fields = (
        "webhook_id",
        "name",
        "url",
        "description",
        "status",
        "secret",
        "creation_timestamp",
        "last_updated_timestamp",
    )
    return {field: getattr(webhook, field, None) for field in fields} | {
        "events": sorted(map(str, webhook.events))
    }


def manage(step, client, address):
    """Creates, reads and updates webhooks."""
    step("list none", lambda: client.list_webhooks())
    made = step(
        "create", lambda: client.create_webhook("first", f"{address}/hook", ["registered_model.created"])
    )
    step("created", lambda: described(made))
    webhook_id = made.webhook_id if made else UNKNOWN
    step(
        "create with everything",
        lambda: described(
            client.create_webhook(
                "second", f"{address}/hook", EVENTS[:3], "a description", SECRET, "DISABLED"
            )
        ),
    )
    step(
        "create with a taken name",
        lambda: described(client.create_webhook("first", f"{address}/hook", EVENTS[:1], status="DISABLED")),
    )
    step("get", lambda: described(client.get_webhook(webhook_id)))
    step("list", lambda: [described(found) for found in client.list_webhooks()])
    step(
        "list one",
        lambda: [len(client.list_webhooks(max_results=1)), bool(client.list_webhooks(max_results=1).token)],
    )
    step("pages", lambda: pages(client))
    for size in (0, -1, 1000, 1001):
        step(f"list of {size}", lambda size=size: len(client.list_webhooks(max_results=size)))
    step("list with a bad token", lambda: client.list_webhooks(page_token="bad"))
    changes = {
        "name": {"name": "renamed"},
        "description": {"description": "changed"},
        "url": {"url": f"{address}/other"},
        "events": {"events": EVENTS},
        "secret": {"secret": SECRET},
        "status": {"status": "DISABLED"},
        "status back": {"status": "ACTIVE"},
        "nothing": {},
    }
    for name, change in changes.items():
        step(f"update {name}", lambda change=change: described(client.update_webhook(webhook_id, **change)))
    step("get updated", lambda: described(client.get_webhook(webhook_id)))
    return webhook_id


def pages(client):
    """Walks through pages of two."""
    found, token = [], None
    for _ in range(10):
        page = client.list_webhooks(max_results=2, page_token=token)
        found.append([webhook.name for webhook in page])
        token = page.token
        if not token:
            break
    return found


def refuse(step, client, address):
    """Webhooks that no server should make."""
    urls = [
        "",
        "nowhere",
        "ftp://example.com/hook",
        "file:///etc/hostname",
        "http://",
        "https://",
        "javascript:alert(1)",
    ]
    for url in urls:
        step(
            f"create with url {url!r}", lambda url=url: described(client.create_webhook("x", url, EVENTS[:1]))
        )
        step(f"create with url {url!r} leaves nothing", lambda: len(client.list_webhooks()))
    for name in ("", "   ", "a/b", "ü", "n" * 63, "n" * 64, "n" * 255, "n" * 256, "-a", "a b"):
        label = name if len(name) < 20 else f"{len(name)} characters"
        step(
            f"create with name {label!r}",
            lambda name=name: bool(
                client.create_webhook(name, f"{address}/x", EVENTS[:1], status="DISABLED")
            ),
        )
    step("create without events", lambda: client.create_webhook("x", f"{address}/x", []))
    step(
        "create with an event twice",
        lambda: described(client.create_webhook("x", f"{address}/x", EVENTS[:1] * 2, status="DISABLED")),
    )
    for event in ("model.created", "registered_model.deleted", "registered_model", ""):
        step(
            f"create with event {event!r}",
            lambda event=event: client.create_webhook("x", f"{address}/x", [event]),
        )
    step(
        "create with a bad status",
        lambda: client.create_webhook("x", f"{address}/x", EVENTS[:1], status="SLEEPING"),
    )
    for webhook_id in (UNKNOWN, "x"):
        step(f"get {webhook_id}", lambda webhook_id=webhook_id: client.get_webhook(webhook_id))
        step(
            f"update {webhook_id}", lambda webhook_id=webhook_id: client.update_webhook(webhook_id, name="x")
        )
        step(f"delete {webhook_id}", lambda webhook_id=webhook_id: client.delete_webhook(webhook_id))
        step(f"test {webhook_id}", lambda webhook_id=webhook_id: client.test_webhook(webhook_id))


def received(seconds=5.0):
    """Returns the next delivery: its path, headers, body, and whether the signature is right."""
    path, headers, body = Receiver.deliveries.get(timeout=seconds)
    signed = f"{headers['X-MLflow-Delivery-Id']}.{headers['X-MLflow-Timestamp']}.".encode() + body
    expected = "v1," + base64.b64encode(hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()).decode()
    signature = headers.get("X-MLflow-Signature")
    age = abs(time.time() - int(headers["X-MLflow-Timestamp"] or 0))
    return {
        "path": path,
        "headers": sorted(name for name in HEADERS if name in headers),
        "content_type": headers["Content-Type"],
        "signature": "absent" if signature is None else "right" if signature == expected else "wrong",
        "timestamp": "recent" if age < 60 else "not recent",
        "delivery_id": headers["X-MLflow-Delivery-Id"],
        "body": json.loads(body),
    }


def drain():
    """Forgets what was delivered so far, after a moment for what is on its way."""
    time.sleep(0.3)
    while not Receiver.deliveries.empty():
        Receiver.deliveries.get()


def test_deliveries(step, client, address, webhook_id):
    """The test call, for each event."""
    drain()
    for event in EVENTS:
        step(f"test {event}", lambda event=event: client.test_webhook(webhook_id, event))
        step(f"received test {event}", lambda: received())
    step("test a bad event", lambda: client.test_webhook(webhook_id, "model.created"))
    unsigned = step(
        "create unsigned",
        lambda: (
            client.create_webhook("unsigned", f"{address}/unsigned", EVENTS[:1], status="DISABLED").webhook_id
        ),
    )
    step("test unsigned", lambda: client.test_webhook(unsigned))
    step("received unsigned", lambda: received())
    for status in (204, 400, 404, 500):
        step(
            f"point to {status}",
            lambda status=status: bool(client.update_webhook(unsigned, url=f"{address}/{status}")),
        )
        step(f"test {status}", lambda: client.test_webhook(unsigned))
        drain()
    step("delete unsigned", lambda: client.delete_webhook(unsigned))


def deliveries(step, client, address, webhook_id):
    """What is sent when something happens in the registry."""
    run_id = step("create run", lambda: client.create_run("0", 1000, run_name="webhook run").info.run_id)
    step("upload", lambda: client.log_text(run_id, "artifact_path: model\n", "model/MLmodel"))
    source = step("source", lambda: client.get_run(run_id).info.artifact_uri + "/model")
    drain()
    happenings = {
        "a model": lambda: client.create_registered_model("hooked", {"a": "1"}, "described"),
        "a version": lambda: client.create_model_version(
            "hooked", source, run_id, {"b": "2"}, description="first"
        ),
        "a version tag": lambda: client.set_model_version_tag("hooked", "1", "c", "3"),
        "no version tag": lambda: client.delete_model_version_tag("hooked", "1", "c"),
        "an alias": lambda: client.set_registered_model_alias("hooked", "champion", "1"),
        "no alias": lambda: client.delete_registered_model_alias("hooked", "champion"),
        "a prompt": lambda: bool(client.register_prompt("hooked-prompt", "Hello {{ name }}", "first")),
        "a prompt tag": lambda: client.set_prompt_tag("hooked-prompt", "d", "4"),
        "no prompt tag": lambda: client.delete_prompt_tag("hooked-prompt", "d"),
        "a prompt version tag": lambda: client.set_prompt_version_tag("hooked-prompt", 1, "e", "5"),
        "no prompt version tag": lambda: client.delete_prompt_version_tag("hooked-prompt", 1, "e"),
        "a prompt alias": lambda: client.set_prompt_alias("hooked-prompt", "live", 1),
        "no prompt alias": lambda: client.delete_prompt_alias("hooked-prompt", "live"),
        "a model tag, which sends nothing": lambda: client.set_registered_model_tag("hooked", "f", "6"),
        "a stage, which sends nothing": lambda: client.transition_model_version_stage(
            "hooked", "1", "Staging"
        ),
        "a refused model, which sends nothing": lambda: client.create_registered_model("hooked"),
        "no model, which sends nothing": lambda: client.delete_registered_model("hooked"),
    }
    for name, happen in happenings.items():
        step(f"happens: {name}", lambda happen=happen: bool(happen()))
        step(f"received: {name}", lambda name=name: all_received(1.0 if "nothing" in name else 5.0))
    step("disable", lambda: bool(client.update_webhook(webhook_id, status="DISABLED")))
    step("happens while disabled", lambda: bool(client.create_registered_model("hooked silently")))
    step("received while disabled", lambda: all_received(1.0))


def all_received(seconds):
    """Returns every delivery of a happening, sorted by its event: they may overtake each other.

    Waits up to `seconds` for the first one.
    """
    found = []
    try:
        found.append(received(seconds))
        while True:
            found.append(received(0.4))
    except queue.Empty:
        return sorted(found, key=lambda item: (item["body"]["entity"], item["body"]["action"]))


def delete(step, client, webhook_id):
    """Deletes a webhook."""
    step("delete", lambda: client.delete_webhook(webhook_id))
    step("get deleted", lambda: client.get_webhook(webhook_id))
    step("update deleted", lambda: client.update_webhook(webhook_id, name="x"))
    step("test deleted", lambda: client.test_webhook(webhook_id))
    step("delete twice", lambda: client.delete_webhook(webhook_id))
    step("list without deleted", lambda: [found.name for found in client.list_webhooks()])
