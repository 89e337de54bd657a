#!/usr/bin/python3
"""Fetch new backups from the bot's host over ssh and keep them. A file that is here already is never touched again.

Usage: pull.py CONFIGURATION. Exit 0 done, 1 not done (one sentence on standard error). Standard library only, Python 3.9+.
The other side may be hostile: only names of the right form are taken, only whole backups are kept, never more than the cap.
"""
from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import tarfile
from typing import IO, Any, Dict, List

NAME = re.compile(r"[a-z0-9_]+-[0-9]{8}T[0-9]{6}Z\.(tar\.gz\.age|manifest\.json)\Z")


def main(argv: List[str]) -> int:
    """Pull once."""
    try:
        with open(argv[1], encoding="utf-8") as handle:
            configuration = json.load(handle)
        kept = pull(configuration)
    except (OSError, ValueError, KeyError, IndexError, RuntimeError, tarfile.TarError) as exc:
        print("pull: %s" % exc, file=sys.stderr)
        return 1
    print("pull: %d new backups" % kept)
    return 0


def pull(configuration: Dict[str, Any]) -> int:
    """Return how many new backups were kept."""
    argv = ["ssh", "-F", "none", "-T", "-i", configuration["identity"], "-o", "BatchMode=yes", "-o", "ConnectTimeout=10",
            "-o", "StrictHostKeyChecking=yes", "-o", "UserKnownHostsFile=%s" % configuration["known_hosts"],
            "-o", "GlobalKnownHostsFile=/dev/null", "-o", "HostKeyAlgorithms=ssh-ed25519", "-o", "ServerAliveInterval=5",
            "%s@%s" % (configuration["user"], configuration["host"])]
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            fresh = receive(process.stdout, configuration["directory"], configuration["cap_bytes"])
        except tarfile.TarError:
            words = process.stderr.read().decode("utf-8", "replace").strip()
            raise RuntimeError("%s sent no backups: %s" % (configuration["host"], words[-200:] or "its answer was cut")) from None
    return keep(fresh, configuration["directory"])


def receive(stream: IO[bytes], directory: str, cap: int) -> Dict[str, bytes]:
    """Return the files of the right form that are not here yet, in memory."""
    fresh: Dict[str, bytes] = {}
    total = 0
    with tarfile.open(fileobj=stream, mode="r|") as tar:
        for member in tar:
            name = os.path.basename(member.name)
            if not member.isfile() or not NAME.match(name) or os.path.exists(os.path.join(directory, manifest_of(name))):
                continue    # without its manifest a backup is the rest of a pull that was killed
            total += member.size
            if total > cap:
                raise RuntimeError("more than %d bytes are new; look at the bot's host before raising the cap" % cap)
            source = tar.extractfile(member)
            fresh[name] = source.read() if source else b""
    return fresh


def manifest_of(name: str) -> str:
    """Return the manifest that a file belongs to."""
    return re.sub(r"\.(tar\.gz\.age|manifest\.json)\Z", ".manifest.json", name)


def keep(fresh: Dict[str, bytes], directory: str) -> int:
    """Write whole backups only: archives first, the manifest that names them last."""
    kept = 0
    for name in sorted(one for one in fresh if one.endswith(".manifest.json")):
        try:
            files = json.loads(fresh[name].decode("utf-8"))["files"]
            whole = files and all("sha256:" + hashlib.sha256(fresh[one["name"]]).hexdigest() == one["sha256"] for one in files)
        except (ValueError, KeyError, TypeError):
            continue
        if not whole:
            continue
        for one in files:
            write(os.path.join(directory, one["name"]), fresh[one["name"]])
        write(os.path.join(directory, name), fresh[name])
        kept += 1
    return kept


def write(path: str, data: bytes) -> None:
    """Write a file whole or not at all, never to be written again."""
    temporary = path + ".part"
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o400), "wb") as handle:
        handle.write(data)
        handle.flush()
        os.fsync(handle.fileno())
    os.replace(temporary, path)


if __name__ == "__main__":
    sys.exit(main(sys.argv))
