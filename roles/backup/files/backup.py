#!/usr/bin/python3
"""Take one backup: sources into one archive, encrypted with age, and a manifest that is written last.

Usage: backup.py CONFIGURATION. Exit 0 done, 1 not done (one sentence on standard error). Standard library only, Python 3.9+.
A backup counts when its manifest is there:
{"set", "at", "files": [{name, size, sha256}], "sources": {path: sha256}, "records": {path: lines}}.
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
from datetime import datetime, timezone
from typing import Any, Dict, List


def main(argv: List[str]) -> int:
    """Take a backup and delete those beyond the wanted number."""
    try:
        with open(argv[1], encoding="utf-8") as handle:
            configuration = json.load(handle)
        manifest = take(configuration, datetime.now(timezone.utc))  # noqa: UP017  Python 3.9
        prune(configuration["directory"], configuration["set"], configuration["keep"])
    except (OSError, ValueError, KeyError, IndexError, RuntimeError) as exc:
        print("backup: %s" % exc, file=sys.stderr)
        return 1
    print("backup: %s, %d sources, %d bytes" % (manifest["files"][0]["name"], len(manifest["sources"]), manifest["files"][0]["size"]))
    return 0


def take(configuration: Dict[str, Any], now: datetime) -> Dict[str, Any]:
    """Write archive, then manifest. Raises RuntimeError if a source is missing or age refuses."""
    paths = sorted({path for pattern in configuration["sources"] for path in glob.glob(pattern) if os.path.isfile(path)})
    missing = [pattern for pattern in configuration["required"] if not glob.glob(pattern)]
    if missing or not paths:
        raise RuntimeError("%s is not there; nothing was backed up" % ", ".join(missing or configuration["sources"]))
    contents = {}
    for path in paths:
        with open(path, "rb") as handle:    # read once: what is digested is what is archived, also of a file that grows
            contents[path] = handle.read()
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    name = "%s-%s.tar.gz.age" % (configuration["set"], stamp)
    sealed = encrypt(archive(contents), configuration["recipients"])
    write(os.path.join(configuration["directory"], name), sealed)
    manifest = {
        "set": configuration["set"], "at": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "files": [{"name": name, "size": len(sealed), "sha256": "sha256:" + hashlib.sha256(sealed).hexdigest()}],
        "sources": {path: "sha256:" + hashlib.sha256(data).hexdigest() for path, data in contents.items()},
        "records": {path: data.count(b"\n") for path, data in contents.items() if path.endswith(".jsonl")},
    }
    write(os.path.join(configuration["directory"], "%s-%s.manifest.json" % (configuration["set"], stamp)),
          json.dumps(manifest, sort_keys=True).encode())
    return manifest


def archive(contents: Dict[str, bytes]) -> bytes:
    """Return a tar.gz of the contents, named by their paths without the leading slash."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for path, data in contents.items():
            member = tarfile.TarInfo(path.lstrip("/"))
            member.size, member.mode = len(data), 0o600
            tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def encrypt(data: bytes, recipients: List[str]) -> bytes:
    """Return the data for the recipients alone; their private keys are not on this host. It never touches the disk in clear."""
    argv = ["age", "--encrypt"]
    for recipient in recipients:
        argv += ["--recipient", recipient]
    done = subprocess.run(argv, input=data, capture_output=True, check=False)
    if done.returncode != 0:
        raise RuntimeError("age refused: %s" % done.stderr.decode("utf-8", "replace").strip()[:200])
    return done.stdout


def write(path: str, data: bytes) -> None:
    """Write a file whole or not at all."""
    temporary = path + ".part"
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640), "wb") as handle:
        handle.write(data)
        handle.flush()
        os.fsync(handle.fileno())
    os.replace(temporary, path)


def prune(directory: str, name: str, keep: int) -> None:
    """Delete the oldest backups, manifest first, so that none ever promises a missing archive."""
    manifests = sorted(glob.glob(os.path.join(directory, "%s-*.manifest.json" % name)))
    for path in manifests[:-keep]:
        os.unlink(path)
    kept = {path[: -len(".manifest.json")] for path in manifests[-keep:]}
    for path in glob.glob(os.path.join(directory, "%s-*.tar.gz.age*" % name)):
        if path[: path.index(".tar.gz.age")] not in kept:
            os.unlink(path)


if __name__ == "__main__":
    sys.exit(main(sys.argv))
