"""Backs the store up, and proves that the backup can be restored: on an empty store, compared secret by secret.

The snapshot is encrypted by the store's own key, so it opens only with the people's shares. Beside it lies a manifest with keyed hashes of
every secret; like the hash of a password it is private (0600).
"""
from __future__ import annotations

import contextlib
import datetime
import functools
import hashlib
import ipaddress
import json
import os
import shlex
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import hvac
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ..canonical import encode, utc
from ..errors import GoliveError
from ..rundir import write_atomic
from . import bring_up, client, nodes
from .client import said
from .settings import Settings

START_S = 60
TRIES = 3


def contents(connected: hvac.Client, mount: str, system: str, key: bytes) -> dict[str, str]:
    """Return `{path: keyed hash of the current version}` of all secrets of a system."""
    found: dict[str, str] = {}
    todo = [f"{system}/"]
    kv = connected.secrets.kv.v2
    while todo:
        folder = todo.pop()
        listed = said(lambda folder=folder: connected.list(f"{mount}/metadata/{folder}"), f"list {folder}")  # type: ignore[misc]
        for name in listed["data"]["keys"] if listed else []:
            path = folder + name
            if name.endswith("/"):
                todo.append(path)
                continue
            asked = functools.partial(kv.read_secret_version, path=path, mount_point=mount, raise_on_deleted_version=False)
            answer = said(asked, f"read {path}")["data"]
            told = {"data": answer["data"], "version": answer["metadata"]["version"]}
            found[path] = hashlib.blake2b(encode(told), key=key, digest_size=16).hexdigest()
    return dict(sorted(found.items()))


def take(connected: hvac.Client, folder: Path, mount: str, system: str) -> Path:
    """Write a snapshot and, last, its manifest; return the manifest's path. What is there without a manifest is no backup."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    key, at = os.urandom(32), utc()
    held = contents(connected, mount, system, key)
    answer = said(connected.sys.take_raft_snapshot, "give a snapshot")
    name = f"store-{at.replace('-', '').replace(':', '')}"
    data: bytes = answer.content
    if answer.status_code != 200 or data[:2] != b"\x1f\x8b":
        raise GoliveError("the store gave no snapshot", found=f"status {answer.status_code}, {len(data)} bytes")
    write_atomic(folder / f"{name}.snap", data, 0o600)
    devices = said(connected.sys.list_enabled_audit_devices, "list its audit devices")["data"]
    audits = sorted(str(one["options"]["file_path"]) for one in devices.values() if one.get("type") == "file")
    manifest = {"set": "store", "at": at, "audit_files": audits, "mount": mount, "system": system, "key": key.hex(), "contents": held,
                "files": [{"name": f"{name}.snap", "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}]}
    path = folder / f"{name}.manifest.json"
    write_atomic(path, json.dumps(manifest, indent=1).encode("utf-8"), 0o600)
    return path


def newest(folder: Path) -> Path:
    """Return the newest manifest. Raises GoliveError when there is none."""
    found = sorted(folder.glob("store-*.manifest.json"))
    if not found:
        raise GoliveError("there is no backup of the store", where=folder.name, todo="run playbooks/operate/restore_store.yml")
    return found[-1]


def drill(manifest_path: Path, binary: Path, keepers: bring_up.Keepers) -> dict[str, Any]:
    """Restore the snapshot into an empty store in memory on this machine, open it with the people's shares, compare, remove it.

    Returns `{at, secrets, equal, differing: [paths], missing: [paths], seconds}`. Raises GoliveError where it cannot be restored at all.
    """
    manifest, data = loaded(manifest_path)
    started = time.monotonic()
    for left in reversed(range(TRIES)):
        try:
            found = _drilled(manifest, data, binary, keepers)
            break
        except TurnedAwayError:
            if not left:
                raise
    return {**found, "seconds": round(time.monotonic() - started, 1)}


class TurnedAwayError(GoliveError):
    """The restored store found the saved one alive, took it for its leader, and was told that it is no member: it never serves."""


def _drilled(manifest: dict[str, Any], data: bytes, binary: Path, keepers: bring_up.Keepers) -> dict[str, Any]:
    with _empty_store(binary, manifest["audit_files"]) as settings:
        anonymous = client.unauthenticated(settings, bring_up.PATIENT_S)
        # With as many shares as the saved one: a store that takes a snapshot goes on counting shares as it was initialised.
        count = len(keepers.names)
        made = said(lambda: anonymous.sys.initialize(secret_shares=count, secret_threshold=keepers.threshold), "be initialised")
        for share in made["keys_base64"][: keepers.threshold]:
            said(lambda share=share: anonymous.sys.submit_unseal_key(share), "be unsealed")  # type: ignore[misc]
        bring_up._await_active(anonymous)
        anonymous.token = made["root_token"]
        said(lambda: anonymous.sys.force_restore_raft_snapshot(data), "take the snapshot")
        restored = client.unauthenticated(settings, bring_up.PATIENT_S)
        await_sealed(restored)
        bring_up.give_shares(restored, keepers)
        await_itself(settings)
        root = bring_up._root(restored, keepers)
        found = compared(manifest, root)
        said(root.auth.token.revoke_self, "revoke the root token")
    return found


def loaded(manifest_path: Path) -> tuple[dict[str, Any], bytes]:
    """Return a manifest and its snapshot. Raises GoliveError when it is not the one that was written."""
    manifest: dict[str, Any] = json.loads(manifest_path.read_text("utf-8"))
    name = manifest["files"][0]["name"]
    data = (manifest_path.parent / name).read_bytes()
    if hashlib.sha256(data).hexdigest() != manifest["files"][0]["sha256"]:
        raise GoliveError("the snapshot is not what was written", where=name, todo="take a new one; keep this one apart")
    return manifest, data


def compared(manifest: Mapping[str, Any], connected: hvac.Client) -> dict[str, Any]:
    """Return `{at, secrets, equal, differing: [paths], missing: [paths]}` of a restored store, by the manifest's keyed hashes."""
    wanted: dict[str, str] = manifest["contents"]
    there = contents(connected, manifest["mount"], manifest["system"], bytes.fromhex(manifest["key"]))
    return {"at": manifest["at"], "secrets": len(wanted), "equal": sum(1 for path, one in wanted.items() if there.get(path) == one),
            "differing": sorted(path for path, one in wanted.items() if path in there and there[path] != one),
            "missing": sorted(set(wanted) - set(there))}


def await_itself(settings: Settings) -> None:
    """Wait until this very node is the active one. Nothing but its health is asked before: for a moment a restored store takes the saved
    one's leader for its own, and would hand on a question to it, and be turned away.
    """
    deadline = time.monotonic() + START_S
    while (node := nodes.look(settings, [settings.address])[0]).state != "active":
        if node.state == "removed":
            raise TurnedAwayError("the restored store was turned away by the saved one, which is alive", where=settings.address,
                                  todo="make the host bare, and let it not reach the saved store's nodes")
        if time.monotonic() >= deadline:
            raise GoliveError("the restored store does not serve", found=nodes.told([node]), todo="look at its journal")
        time.sleep(0.1)


def await_sealed(anonymous: hvac.Client) -> None:
    """Wait until the store has taken the snapshot's key: the one that opened it a moment ago opens it no more."""
    deadline = time.monotonic() + START_S
    while not said(anonymous.sys.is_sealed, "say whether it is sealed"):
        if time.monotonic() >= deadline:
            raise GoliveError("the store did not take the snapshot's key", todo="look whether the snapshot is of another store")
        time.sleep(0.1)


@contextlib.contextmanager
def _empty_store(binary: Path, audit_files: list[str]) -> Iterator[Settings]:
    folder = Path(tempfile.mkdtemp(prefix="golive-restore-", dir="/dev/shm"))
    with socket.socket() as one, socket.socket() as two:
        one.bind(("127.0.0.1", 0))
        two.bind(("127.0.0.1", 0))
        port, cluster = one.getsockname()[1], two.getsockname()[1]
    (folder / "data").mkdir()
    _certificate(folder)
    # OpenBao makes a root token of the people's shares only where its listener says so; Vault knows no such word.
    more = {"disable_unauthed_generate_root_endpoints": False} if binary.name == "bao" else {}
    (folder / "vault.json").write_text(json.dumps({
        "ui": False, "disable_mlock": True, "api_addr": f"https://127.0.0.1:{port}", "cluster_addr": f"https://127.0.0.1:{cluster}",
        "storage": {"raft": {"path": str(folder / "data"), "node_id": "drill", "performance_multiplier": "1"}},
        "listener": {"tcp": {"address": f"127.0.0.1:{port}", "cluster_address": f"127.0.0.1:{cluster}",
                             "tls_cert_file": str(folder / "crt"), "tls_key_file": str(folder / "key"), **more}}}))
    settings = Settings(f"https://127.0.0.1:{port}", folder / "crt", folder / "identity")
    with (folder / "out").open("wb") as out:
        command = [*_apart(audit_files), str(binary), "server", "-config", str(folder / "vault.json")]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                                   env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(folder)})
    try:
        deadline = time.monotonic() + START_S
        while True:
            try:
                said(client.unauthenticated(settings).sys.read_seal_status, "answer")
                break
            except GoliveError:
                if process.poll() is not None or time.monotonic() >= deadline:
                    raise GoliveError("the empty store for the drill did not start", found=f"exit {process.poll()}") from None
                time.sleep(0.1)
        yield settings
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _apart(audit_files: list[str]) -> list[str]:
    """Return what starts a program whose audit files lie in memory of its own.

    A restored store opens the audit devices of the saved one: on this machine their folders are missing, and it would refuse to serve, or
    they are there, and the drill would write into the real log.
    """
    steps = []
    for file in sorted(audit_files):
        there = next(one for one in Path(file).parents if one.is_dir())
        if there == Path("/"):
            raise GoliveError("the drill cannot keep the audit log apart", found=file, todo="make its first folder on this machine, empty")
        mark, where, parent = (shlex.quote(str(one)) for one in (there / ".golive-drill", there, Path(file).parent))
        steps.append(f"[ -e {mark} ] || {{ mount -t tmpfs -o mode=0700 none {where} && touch {mark}; }} || exit 97; "
                     f"mkdir -p {parent} || exit 97; ")
    if not steps:
        return []
    alone = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    return ["unshare", *alone, "--mount", "--propagation", "private", "sh", "-c", "".join(steps) + 'exec "$@"', "sh"]


def _certificate(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "restore drill")])
    now = datetime.datetime.now(datetime.UTC)
    made = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(minutes=5)).not_valid_after(now + datetime.timedelta(hours=4))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
            .sign(key, hashes.SHA256()))
    (folder / "crt").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    client.private_file(folder / "key", key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                                         serialization.NoEncryption()))
