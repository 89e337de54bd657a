#!/usr/bin/python3
"""Restore the newest backup into memory on this host and compare it, file by file and record by record, with its manifest.

Usage: restore_drill.py DIRECTORY SET IDENTITY. Prints one line of JSON: passed, checksums_match, records_match, rto_s, at, taken,
archive, files, problem. Exit 0 passed, 1 not. Standard library only, Python 3.9+. Nothing is written to the disk.
"""
from __future__ import annotations

import glob
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import time
from datetime import datetime, timezone
from typing import Any, Dict, List


def main(argv: List[str]) -> int:
    """Run the drill."""
    began = time.monotonic()
    result: Dict[str, Any] = {"passed": False, "checksums_match": False, "records_match": False, "problem": "",
                              "at": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")}  # noqa: UP017  Python 3.9
    try:
        result.update(drill(argv[1], argv[2], argv[3]))
    except (OSError, ValueError, KeyError, IndexError, RuntimeError, tarfile.TarError) as exc:
        result["problem"] = str(exc)[:300]
    result["rto_s"] = round(time.monotonic() - began, 3)
    result["passed"] = result["checksums_match"] and result["records_match"]
    print(json.dumps(result, sort_keys=True))
    return 0 if result["passed"] else 1


def drill(directory: str, name: str, identity: str) -> Dict[str, Any]:
    """Return the facts of one restore. Raises RuntimeError if there is nothing to restore or it cannot be opened."""
    manifests = sorted(glob.glob(os.path.join(directory, "%s-*.manifest.json" % name)))
    if not manifests:
        raise RuntimeError("there is no backup of the set %s in %s" % (name, directory))
    with open(manifests[-1], encoding="utf-8") as handle:
        manifest = json.load(handle)
    contents: Dict[str, bytes] = {}
    for one in manifest["files"]:
        with open(os.path.join(directory, os.path.basename(one["name"])), "rb") as handle_:
            sealed = handle_.read()
        if "sha256:" + hashlib.sha256(sealed).hexdigest() != one["sha256"]:
            raise RuntimeError("%s is not what its manifest says" % one["name"])
        contents.update(opened(sealed, identity))
    found = {path: "sha256:" + hashlib.sha256(data).hexdigest() for path, data in contents.items()}
    records = {path: data.count(b"\n") for path, data in contents.items() if path.endswith(".jsonl")}
    return {"checksums_match": found == manifest["sources"], "records_match": records == manifest["records"], "taken": manifest["at"],
            "archive": manifest["files"][0]["name"], "files": len(found)}


def opened(sealed: bytes, identity: str) -> Dict[str, bytes]:
    """Return {path: content} of an archive."""
    done = subprocess.run(["age", "--decrypt", "--identity", identity], input=sealed, capture_output=True, check=False)
    if done.returncode != 0:
        raise RuntimeError("age cannot open it: %s" % done.stderr.decode("utf-8", "replace").strip()[:200])
    contents = {}
    with tarfile.open(fileobj=io.BytesIO(done.stdout), mode="r:gz") as tar:
        for member in tar:
            source = tar.extractfile(member)
            if source is not None:
                contents["/" + member.name] = source.read()
    return contents


if __name__ == "__main__":
    sys.exit(main(sys.argv))
