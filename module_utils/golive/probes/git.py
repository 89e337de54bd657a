"""git: whether a repository holds secrets, in any commit of any branch or tag, and whether its work tree is what was committed."""

from __future__ import annotations

import hashlib
import math
import re
import subprocess
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Tuple

from ..errors import Undecided
from ..leaks.index import Index
from . import _detect, logs
from .look import Look, Observed

EXECUTOR = "local"
WITNESS = "golive"
DEADLINE_S = 60
ASK = {
    "repository": "str; required; from the root of this repository",
    "question": "str; required; secrets or tree",
    "patterns": "list of str; optional; secrets: exchange, aws, stripe, private_key, generic_entropy, services; all by default, [] is none",
    "known_bad": "list of str; optional; secrets: sha256:<64 hex> of words that must not be there",
    "secrets": "list of str; optional; secrets: references, as index:<reference>, to secrets that must stand in no object and no message",
    "under": "str; optional; only files under this folder of the repository",
}
FACTS = {
    "findings": "list of str; path@blob:line: rule, never the text",
    "complete": "bool; every blob of every ref was read, none skipped for its size",
    "blobs": "int",
    "commits": "int",
    "skipped": "list of str; path@blob of what was too large to read",
    "clean": "bool; tree: nothing is changed, added or missing",
    "changed": "list of str; tree: paths",
    "commit": "str; 40 hex digits of HEAD",
}
_BLOB_CAP = 2 << 20
_FINDINGS_CAP = 200
_RESERVE_S = 5.0
# What a secret looks like. An allow comment ("golive: not a secret") on the same line is read by people, not by this probe:
# a line that must stay belongs into a path that is not scanned.
_RULES: Mapping[str, List[Tuple[str, str]]] = {
    "exchange": [("kraken secret", r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{86}==(?![A-Za-z0-9+/=])"),
                 ("exchange key in an assignment", r"(?i)api[_-]?(?:key|secret)[\"']?\s*[:=]\s*[\"'][A-Za-z0-9+/=_-]{32,}[\"']")],
    "aws": [("aws key id", r"(?<![A-Z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Z0-9])")],
    "stripe": [("stripe key", r"(?:sk|rk)_live_[A-Za-z0-9]{16,}")],
    "private_key": [("private key", r"-----BEGIN [A-Z ]*PRIVATE KEY-----\s*\n[A-Za-z0-9+/=\n]{60,}")],
    "generic_entropy": [("secret in an assignment",
                         r"(?i)(?:secret|token|passw(?:or)?d|credential)[a-z_]*[\"']?\s*[:=]\s*[\"']([A-Za-z0-9+/=_-]{20,})[\"']")],
}  # fmt: skip
SERVICES = "services"  # the detectors of detect-secrets
_WORD = re.compile(rb"[A-Za-z0-9+/=_.-]{12,512}")


def observe(ask: Mapping[str, Any], look: Look) -> Observed:
    """Answer about the repository. Opportunities are the commits that were read. Raises Undecided when git cannot read it."""
    root = Path(str(look.context["root"])) / str(ask["repository"])
    git = ["git", "-c", "safe.directory=*", "-C", str(root)]
    head = look.run([*git, "rev-parse", "--verify", "--quiet", "HEAD^{commit}"])
    if head.rc != 0:
        raise Undecided("%s is no git repository with a commit" % str(ask["repository"])[:120])
    if ask["question"] == "tree":
        return _tree(git, ask, look, head.stdout.strip())
    if ask["question"] != "secrets":
        raise Undecided("there is no question %s, only secrets and tree" % str(ask["question"])[:40])
    return _scan(git, ask, look, head.stdout.strip())


def _limit(ask: Mapping[str, Any]) -> List[str]:
    return ["--", str(ask["under"])] if ask.get("under") else []


def _tree(git: List[str], ask: Mapping[str, Any], look: Look, head: str) -> Observed:
    done = look.run([*git, "status", "--porcelain=v1", "-z", *_limit(ask)], timeout=20)
    if done.rc != 0:
        raise Undecided("git did not answer: %s" % done.stderr.strip()[:160])
    changed = [entry[3:] for entry in done.stdout.split("\0") if len(entry) > 3]
    return Observed({"clean": not changed, "changed": changed[:_FINDINGS_CAP], "commit": head}, opportunities=1)


def _scan(git: List[str], ask: Mapping[str, Any], look: Look, head: str) -> Observed:
    rules = _rules(ask.get("patterns"))
    detectors = _detect.load() if SERVICES in ask.get("patterns", [SERVICES]) else []
    known = {str(one) for one in ask.get("known_bad") or []}
    secrets = logs.indexes([look.secret(str(one)) for one in ask.get("secrets") or []])
    if not (rules or detectors or known or secrets):
        raise Undecided("nothing is looked for: no pattern, no digest and no secret is asked")
    listed = look.run([*git, "rev-list", "--all", "--objects", "--in-commit-order", *_limit(ask)], timeout=20)
    commits = look.run([*git, "rev-list", "--all", "--count", *_limit(ask)], timeout=20)
    if listed.rc != 0 or commits.rc != 0:
        raise Undecided("git did not answer: %s" % (listed.stderr or commits.stderr).strip()[:160])
    if len(listed.stdout) >= 1 << 20:
        raise Undecided("the history has too many objects to read within the deadline; scan it in CI")
    names = dict(line.split(" ", 1) for line in listed.stdout.splitlines() if " " in line)
    findings, skipped, blobs = [], [], 0
    for name, size, data in _blobs(git, list(names), look):
        where = "%s@%s" % (names.get(name, "?")[:200], name[:12])
        if size > _BLOB_CAP:
            skipped.append(where)
            continue
        blobs += 1
        findings += ["%s:%d: a secret of the store" % (where, line) for line in _held(data, secrets)]
        if b"\0" not in data[:8000]:
            findings += ["%s:%d: %s" % (where, line, rule) for line, rule in _found(data, rules, known)]
            if look.left() < _RESERVE_S:
                raise Undecided("the history has too much text to read within the deadline; scan it in CI")
            findings += ["%s:%d: %s" % (where, line, rule) for line, rule in _detect.found(data, detectors)]
    if secrets:
        messages = look.run([*git, "log", "--all", "--format=%H%n%B", *_limit(ask)], timeout=20)
        if messages.rc != 0 or len(messages.stdout) >= 1 << 20:
            raise Undecided("the messages of the history cannot be read within the deadline")
        findings += ["a commit message: a secret of the store" for _ in _held(messages.stdout.encode("utf-8", "replace"), secrets)]
    facts: Dict[str, Any] = {"findings": sorted(set(findings))[:_FINDINGS_CAP], "skipped": skipped, "complete": not skipped, "blobs": blobs,
                             "commits": int(commits.stdout or 0), "commit": head}  # fmt: skip
    return Observed(facts, opportunities=facts["commits"])


def _rules(names: Any) -> List[Tuple[str, re.Pattern[bytes]]]:
    chosen = [str(one) for one in ([*_RULES, SERVICES] if names is None else names)]
    unknown = [one for one in chosen if one not in _RULES and one != SERVICES]
    if unknown:
        raise Undecided("there is no pattern %s, only %s" % (unknown[0][:40], ", ".join([*_RULES, SERVICES])))
    return [(title, re.compile(text.encode("ascii"))) for name in chosen for title, text in _RULES.get(name, [])]


def _blobs(git: List[str], names: List[str], look: Look) -> Iterator[Tuple[str, int, bytes]]:
    """Yield (name, size, content) of the blobs among these objects, by one git process."""
    done = subprocess.run([*git, "cat-file", "--batch", "--buffer"], input=("\n".join(names) + "\n").encode("ascii"), capture_output=True,
                          timeout=max(1.0, look.left() - 1), check=False)  # fmt: skip
    if done.returncode != 0:
        raise Undecided("git did not give the contents of the history")
    data, at = done.stdout, 0
    while at < len(data):
        end = data.index(b"\n", at)
        name, kind, size = data[at:end].decode("ascii").split(" ")
        at = end + 1
        if kind == "blob":
            yield name, int(size), data[at : at + int(size)]
        at += int(size) + 1


def _found(data: bytes, rules: List[Tuple[str, re.Pattern[bytes]]], known: set[str]) -> List[Tuple[int, str]]:
    found = []
    for title, pattern in rules:
        for match in pattern.finditer(data):
            if match.groups() and _entropy(match.group(1)) < 3.5:
                continue  # a word of a language, a placeholder: not random
            found.append((data.count(b"\n", 0, match.start()) + 1, title))
    if known:
        for match in _WORD.finditer(data):
            if "sha256:" + hashlib.sha256(match.group()).hexdigest() in known:
                found.append((data.count(b"\n", 0, match.start()) + 1, "a known secret"))
    return found


def _held(data: bytes, secrets: List[Index]) -> List[int]:
    """Return the lines in which a secret of the store begins, whatever its spelling."""
    return sorted({data.count(b"\n", 0, hit.at) + 1 for index in secrets for hit in index.search(data)})


def _entropy(word: bytes) -> float:
    """Return Shannon's entropy in bits a character."""
    return -sum(word.count(one) / len(word) * math.log2(word.count(one) / len(word)) for one in set(word))
