"""Counts in the store's own audit log who read which secret. Runs on the store's host: standard library only, Python 3.9.

`python3 -ISE -` gets this file and one call of `main`. It prints counts and paths; the log itself holds values only as keyed hashes.
"""
from __future__ import annotations

import glob
import gzip
import json
from typing import IO, Any, Dict, List, cast


def main(given: Dict[str, Any]) -> None:
    """Print `--golive <nonce> {"used": {...}, "lines": n, "broken": n, "first": time, "last": time}` on one line."""
    print("--golive %s %s" % (given["nonce"], json.dumps(count(given["files"], str(given["mount"]), str(given["since"])))))


def count(patterns: List[str], mount: str, since: str) -> Dict[str, Any]:
    """Count reads in the first device that can be read; two devices hold the same lines."""
    for pattern in patterns:
        paths = sorted(glob.glob(pattern + "*"))
        if paths:
            return _count(paths, mount, since)
    return {"used": {}, "lines": 0, "broken": 0, "first": None, "last": None}


def _count(paths: List[str], mount: str, since: str) -> Dict[str, Any]:
    used: Dict[str, Dict[str, int]] = {}
    lines = broken = 0
    first = last = None
    for path in paths:
        with (cast("IO[bytes]", gzip.open(path, "rb")) if path.endswith(".gz") else open(path, "rb")) as handle:
            for raw in handle:
                try:
                    entry = json.loads(raw)
                except ValueError:
                    broken += 1
                    continue
                at = str(entry.get("time", ""))
                if at < since or entry.get("type") != "response" or entry.get("error"):
                    continue
                lines += 1
                first = at if first is None or at < first else first
                last = at if last is None or at > last else last
                asked = entry.get("request") or {}
                where = str(asked.get("path", ""))
                if asked.get("operation") == "read" and where.startswith(mount + "/data/"):
                    who = _who(entry.get("auth") or {})
                    secrets = used.setdefault(who, {})
                    secret = where[len(mount) + 6 :]
                    secrets[secret] = secrets.get(secret, 0) + 1
    return {"used": used, "lines": lines, "broken": broken, "first": first, "last": last}


def _who(auth: Dict[str, Any]) -> str:
    metadata = auth.get("metadata") or {}
    return str(metadata.get("role_name") or auth.get("display_name") or "nobody")
