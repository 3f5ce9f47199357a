"""Compares two transcripts step by step.

    python compare.py transcript-v3.json ours.json differences.json

`differences.json` maps a step name, or a pattern with `*`, to the reason why the answers may differ. An
entry that matches no differing step is an error too, so the list cannot outlive its reasons. The exit
code is 1 when anything unlisted differs.

Placeholders such as `<run-3>` need not carry the same number on both sides: within equal steps they are
paired one to one, so that an id which one server does not invent leaves later steps alone.
"""

import argparse
import fnmatch
import json
import re
import sys

PLACEHOLDER = re.compile(r"(<[a-z-]+-\d+>)")


class Pairing:
    """Which placeholder of ours stands for which one of the peer."""

    def __init__(self):
        self.ours_of = {}
        self.peer_of = {}

    def same_step(self, peer, ours):
        """Tells whether two answers are equal; remembers new pairs only when they are."""
        before = dict(self.ours_of), dict(self.peer_of)
        if self.same(peer, ours):
            return True
        self.ours_of, self.peer_of = before
        return False

    def as_peer(self, text):
        """Rewrites our placeholders in a text as those of the peer, as far as they are paired."""
        return PLACEHOLDER.sub(lambda match: self.peer_of.get(match[0], match[0]), text)

    def same(self, peer, ours):
        """Compares two JSON values in depth."""
        if isinstance(peer, bool) != isinstance(ours, bool):
            return False
        if isinstance(peer, str) and isinstance(ours, str):
            return self.same_text(peer, ours)
        if isinstance(peer, list) and isinstance(ours, list):
            return len(peer) == len(ours) and all(map(self.same, peer, ours))
        if isinstance(peer, dict) and isinstance(ours, dict):
            return self.same_object(peer, ours)
        return peer == ours

    def same_text(self, peer, ours):
        """Compares two texts, pairing their placeholders."""
        peer_parts, ours_parts = PLACEHOLDER.split(peer), PLACEHOLDER.split(ours)
        return len(peer_parts) == len(ours_parts) and all(map(self.same_part, peer_parts, ours_parts))

    def same_part(self, peer, ours):
        """Compares a part of a text, which is a whole placeholder or has none."""
        if not (PLACEHOLDER.fullmatch(peer) and PLACEHOLDER.fullmatch(ours)):
            return peer == ours
        if peer.rsplit("-", 1)[0] != ours.rsplit("-", 1)[0]:
            return False
        return self.ours_of.setdefault(peer, ours) == ours and self.peer_of.setdefault(ours, peer) == peer

    def same_object(self, peer, ours):
        """Compares two objects; keys that hold placeholders are matched through the pairs."""
        if len(peer) != len(ours):
            return False
        renamed = {
            PLACEHOLDER.sub(lambda match: self.peer_of.get(match[0], match[0]), key): key for key in ours
        }
        return all(key in renamed and self.same(value, ours[renamed[key]]) for key, value in peer.items())


def load_steps(path):
    """Reads a transcript as a mapping from step name to entry."""
    with open(path, encoding="utf-8") as file:
        entries = json.load(file)
    steps = {entry["step"]: entry for entry in entries}
    if len(steps) != len(entries):
        raise SystemExit(f"{path}: step names are not unique")
    return steps


def load_reasons(path):
    """Reads the listed differences; each needs a reason."""
    with open(path, encoding="utf-8") as file:
        reasons = json.load(file)
    for pattern, reason in reasons.items():
        if not isinstance(reason, str) or not reason.strip():
            raise SystemExit(f"{path}: `{pattern}` has no reason")
    return reasons


def differing_steps(peer, ours, pairing):
    """Yields the name of each step that differs or is missing on one side."""
    for name, entry in peer.items():
        if name not in ours or not pairing.same_step(entry, ours[name]):
            yield name
    yield from (name for name in ours if name not in peer)


def print_difference(name, peer, ours, pairing):
    """Prints where a step differs."""
    print(f"differs: {name}")
    if peer is None or ours is None:
        print(f"  only {'ours' if peer is None else 'the peer'} has it: {shown(peer or ours)}")
        return
    ours = json.loads(pairing.as_peer(json.dumps(ours)))
    lines = first_differences(peer, ours)
    print("\n".join(lines or ["  an id stands for another thing than in the steps before"]))


def first_differences(peer, ours, path="", limit=6):
    """Returns up to `limit` lines that say where two values differ."""
    lines = []
    if isinstance(peer, dict) and isinstance(ours, dict):
        for key in sorted(set(peer) | set(ours)):
            lines += first_differences(peer.get(key, "(absent)"), ours.get(key, "(absent)"), f"{path}.{key}")
    elif isinstance(peer, list) and isinstance(ours, list) and len(peer) == len(ours):
        for index, pair in enumerate(zip(peer, ours, strict=True)):
            lines += first_differences(*pair, f"{path}[{index}]")
    elif peer != ours:
        lines = [f"  at {path or 'the top'}", f"    peer: {shown(peer)}", f"    ours: {shown(ours)}"]
    return lines[: 3 * limit]


def shown(value, limit=400):
    """Returns a value as one short line."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"


def is_listed(name, pattern):
    """Tells whether a listed entry means this step; `*` and `?` are wildcards, brackets are not."""
    return name == pattern or fnmatch.fnmatchcase(name, pattern.replace("[", "[[]"))


def main():
    """Parses the command line, prints the differences, sets the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("peer")
    parser.add_argument("ours")
    parser.add_argument("differences")
    arguments = parser.parse_args()
    peer, ours = load_steps(arguments.peer), load_steps(arguments.ours)
    reasons = load_reasons(arguments.differences)
    pairing = Pairing()
    differing = list(differing_steps(peer, ours, pairing))
    unlisted = [name for name in differing if not any(is_listed(name, pattern) for pattern in reasons)]
    stale = [pattern for pattern in reasons if not any(is_listed(name, pattern) for name in differing)]
    for name in unlisted:
        print_difference(name, peer.get(name), ours.get(name), pairing)
    for pattern in stale:
        print(f"listed but equal, remove it: {pattern}")
    print(
        f"{len(peer)} steps of the peer, {len(ours)} of ours: {len(differing)} differ, "
        f"{len(differing) - len(unlisted)} of them listed, {len(stale)} stale entries"
    )
    sys.exit(1 if unlisted or stale else 0)


if __name__ == "__main__":
    main()
