"""The first questions of an incident, asked on the bot's host. One file, standard library only, Python 3.9+; reads only.

Every section ends as `{"state": "answered", …}` or `{"state": "unknown", "why": …}`; none is left out, whatever happens to the others.
The bot's own answers come from its own tool, as its own user. Of the ledger only the fields named in SHOWN are taken.
"""
from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from typing import Any, Callable, Dict, List

BOT = "/opt/bot/current/app/bin/bot"
# What the bot's tool answers, by topic (docs/how-to/bring-your-own-bot.md, level 3).
TOPICS = {"api": ("venue_status", "clock_skew", "nonce_state", "error_rate", "bot"),
          "performance": ("latency", "resources", "memory", "decisions", "queue_depth")}
HOST_SECTIONS = ("alerts", "clock", "disk")
PROCESS_SECTIONS = ("process", "heap", "last_decisions")
SHOWN = ("seq", "at", "kind", "signal", "pair", "side", "action", "allowed", "reasons", "client_id", "ok", "errors", "reason")
KINDS = ("start", "signal", "risk", "request", "ack", "fill", "stop", "kill")
LAST, TAIL_BYTES, PATIENCE_S = 20, 1 << 18, 30.0
STOPPED = "the instance is not running"
Section = Dict[str, Any]


class Unknown(Exception):
    """Why a section has no answer, in words that hold no secret."""


def main(payload: Dict[str, Any]) -> None:
    """Print `--golive <nonce> {"sections": {name: section}}` for `{instances, topics, prometheus_url}`."""
    sections = collect(list(payload["instances"]), list(payload["topics"]), str(payload["prometheus_url"]))
    sys.stdout.write("\n--golive %s %s\n" % (payload["nonce"], json.dumps({"sections": sections})))


def names(instances: List[str], topics: List[str]) -> List[str]:
    """Return the name of every section that a record has."""
    own = [section for topic in topics for section in ("%s.%s" % (topic, one) for one in TOPICS[topic])]
    return list(HOST_SECTIONS) + ["%s.%s" % (instance, one) for instance in instances for one in list(PROCESS_SECTIONS) + own]


def nothing(instances: List[str], topics: List[str], why: str) -> Dict[str, Section]:
    """Return a record in which nothing could be known."""
    return {name: {"state": "unknown", "why": why} for name in names(instances, topics)}


def collect(instances: List[str], topics: List[str], prometheus_url: str) -> Dict[str, Section]:
    """Return every section of `names`."""
    found = nothing(instances, topics, "it was not asked")
    found["alerts"] = asked(lambda: alerts(fetched(prometheus_url.rstrip("/") + "/api/v1/alerts")))
    found["clock"] = asked(lambda: clock(ran(["chronyc", "-c", "tracking"])))
    found["disk"] = asked(disk)
    for instance in instances:
        for section, answer in of_instance(instance, topics).items():
            found["%s.%s" % (instance, section)] = answer
    return found


def asked(question: Callable[[], Section]) -> Section:
    """Return the answer of a question, or why there is none."""
    try:
        return {"state": "answered", **question()}
    except Unknown as exc:
        return {"state": "unknown", "why": str(exc)[:300]}
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, subprocess.SubprocessError) as exc:
        return {"state": "unknown", "why": "the answer could not be read: %s" % type(exc).__name__}


def of_instance(instance: str, topics: List[str]) -> Dict[str, Section]:
    """Return the sections of one instance."""
    found: Dict[str, Section] = {"process": asked(lambda: process("bot-%s.service" % instance))}
    pid = int(found["process"].get("pid") or 0)
    found["heap"] = asked(lambda: heap(pid))
    found["last_decisions"] = asked(lambda: last_decisions("/var/lib/bot/%s/ledger.jsonl" % instance))
    for topic in topics:
        try:
            if pid <= 0:
                raise Unknown(STOPPED)
            told = diagnosed(instance, topic)
        except (Unknown, OSError, ValueError, subprocess.SubprocessError) as exc:
            told = {}
            why = str(exc) if isinstance(exc, Unknown) else "the bot's tool could not be asked: %s" % type(exc).__name__
        else:
            why = "the bot's tool gave no such section"
        for name in TOPICS[topic]:
            one = told.get(name)
            good = isinstance(one, dict) and one.get("state") in ("answered", "unknown")
            found["%s.%s" % (topic, name)] = one if good and isinstance(one, dict) else {"state": "unknown", "why": why}
    return found


def diagnosed(instance: str, topic: str) -> Dict[str, Any]:
    """Ask the bot's own tool, as the bot's user. Exit 1 means that it calls a section unknown."""
    argv = ["runuser", "-u", "bot", "--", BOT, "diagnose", "--topic", topic, "--config", "/etc/bot/%s.json" % instance, "--json"]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE_S, check=False, cwd="/")
    try:
        sections = json.loads(done.stdout.decode("utf-8", "replace"))["sections"]
    except (ValueError, KeyError, TypeError):
        raise Unknown("the bot's tool ended with exit %d and no answer" % done.returncode) from None
    if not isinstance(sections, dict):
        raise Unknown("the bot's tool answered in another form")
    return sections


def process(unit: str) -> Section:
    """Return what systemd says of a unit."""
    wanted = ("ActiveState", "SubState", "Result", "ExecMainStatus", "NRestarts", "MainPID", "ActiveEnterTimestamp")
    out = ran(["systemctl", "show", unit, *("--property=" + one for one in wanted)])
    said = dict(line.split("=", 1) for line in out.splitlines() if "=" in line)
    if not said.get("ActiveState"):
        raise Unknown("systemd says nothing of %s" % unit)
    return {"unit": unit, "active": said["ActiveState"], "sub": said.get("SubState"), "result": said.get("Result"),
            "exit": said.get("ExecMainStatus"), "restarts": said.get("NRestarts"), "since": said.get("ActiveEnterTimestamp"),
            "pid": int(said.get("MainPID") or 0)}


def heap(pid: int) -> Section:
    """Return the process's memory as the kernel counts it, heap and largest mappings apart (bytes). Sizes only, never contents."""
    if pid <= 0:
        raise Unknown(STOPPED)
    with open("/proc/%d/smaps" % pid, encoding="utf-8", errors="replace") as handle:
        return mappings(handle.read())


def mappings(text: str) -> Section:
    """Return `{rss_bytes, heap_bytes, anonymous_bytes, largest: [[name, bytes]]}` of a process's smaps."""
    sizes: Dict[str, int] = {}
    name = ""
    for line in text.splitlines():
        words = line.split()
        if words and not words[0].endswith(":"):
            name = words[5] if len(words) > 5 else "[anonymous]"
        elif words and words[0] == "Rss:":
            sizes[name] = sizes.get(name, 0) + int(words[1]) * 1024
    if not sizes:
        raise Unknown("the kernel shows no mapping of it")
    largest = sorted(sizes.items(), key=lambda item: -item[1])[:8]
    return {"rss_bytes": sum(sizes.values()), "heap_bytes": sizes.get("[heap]", 0), "anonymous_bytes": sizes.get("[anonymous]", 0),
            "largest": [[os.path.basename(one) or one, size] for one, size in largest]}


def last_decisions(path: str) -> Section:
    """Return the last records of the ledger that tell what was decided and done."""
    try:
        with open(path, "rb") as handle:
            handle.seek(max(0, os.path.getsize(path) - TAIL_BYTES))
            lines = handle.read().splitlines()
    except FileNotFoundError:
        raise Unknown("there is no ledger %s" % path) from None
    told = []
    for line in lines:
        try:
            record = json.loads(line.decode("utf-8"))
        except ValueError:
            continue    # the first line of the tail, or the one that is just being written
        if isinstance(record, dict) and record.get("kind") in KINDS:
            told.append({name: record[name] for name in SHOWN if name in record})
    return {"records": told[-LAST:]}


def alerts(answer: Any) -> Section:
    """Return the alerts that fire or are about to, out of Prometheus' answer."""
    if answer["status"] != "success":
        raise Unknown("Prometheus answered %s" % str(answer["status"])[:40])
    active = [{"name": one["labels"].get("alertname"), "state": one["state"], "since": one.get("activeAt"),
               "instance": one["labels"].get("instance")} for one in answer["data"]["alerts"]]
    return {"firing": [one for one in active if one["state"] == "firing"], "pending": [one for one in active if one["state"] == "pending"]}


def clock(text: str) -> Section:
    """Return stratum and offset (s) out of chrony's machine-readable answer."""
    fields = text.strip().split(",")
    return {"reference": fields[1], "stratum": int(fields[2]), "offset_s": float(fields[4]), "leap": fields[13]}


def disk() -> Section:
    """Return the free share of the file systems that the bot writes to."""
    free = {}
    for path in ("/var/lib/bot", "/var/log/bot"):
        about = os.statvfs(path)
        free[path] = round(about.f_bavail / about.f_blocks, 4)
    return {"free_ratio": free}


def fetched(url: str) -> Any:
    """Return a JSON answer of a service on this host."""
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=5) as answer:
            return json.loads(answer.read(4 << 20).decode("utf-8"))
    except OSError as exc:
        raise Unknown("no answer from %s: %s" % (url, type(exc).__name__)) from None


def ran(argv: List[str]) -> str:
    """Return what a tool of the host printed."""
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=10, check=False)
    except FileNotFoundError:
        raise Unknown("%s is not installed" % argv[0]) from None
    if done.returncode != 0:
        words = done.stderr.decode("utf-8", "replace") + done.stdout.decode("utf-8", "replace")
        raise Unknown("%s: %s" % (argv[0], (words.strip().splitlines() or ["exit %d" % done.returncode])[0][:200]))
    return done.stdout.decode("utf-8", "replace")


def record(system: str, host: str, sections: Dict[str, Section]) -> Dict[str, Any]:
    """Return the whole record. `cause` is for the person who finds it."""
    unknown = sorted(name for name, one in sections.items() if one.get("state") != "answered")
    stopped = sorted({name.split(".")[0] for name in unknown if sections[name].get("why") == STOPPED})
    return {"kind": "incident", "system": system, "host": host, "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "sections": sections, "unknown": unknown, "not_running": stopped, "cause": ""}
