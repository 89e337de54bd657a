"""Makes a backup the store of an empty host: for the drill of losing the store's host, and when it was lost. Safe to repeat after a crash.

An empty store takes a snapshot only once it is initialised. The keys of that first, worthless initialisation lie in memory until the
snapshot has replaced them; from then on the people's shares open it, as they opened the saved one.
"""
from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import hvac

from ..errors import GoliveError
from . import bring_up, client, nodes, snapshot
from .client import said
from .settings import Settings


def planned(settings: Settings, kept: Path) -> list[str]:
    """Return what a run would do, `restore` or `unseal`, and nothing where the store serves already."""
    state = nodes.look(settings, [settings.address])[0].state if settings.ca_file.is_file() else "missing"
    if state in {"empty", "missing"} or kept.is_file():
        return ["restore"]
    return ["unseal"] if state == "sealed" else []


def restore(settings: Settings, manifest_path: Path, keepers: bring_up.Keepers, kept: Path) -> dict[str, Any]:
    """Give an empty store the snapshot, open it with the people's shares and compare every secret; return what `snapshot.compared` does.

    `kept` is a file in memory. Raises GoliveError where the host holds another store, and where people have to unseal this one; a run
    after that goes on.
    """
    manifest, data = snapshot.loaded(manifest_path)
    node = _awaited(settings)
    if node.state in {"missing", "stranger"}:
        raise GoliveError("a backup is restored on a single node that answers", found=nodes.told([node]), todo="look at its journal")
    anonymous = client.unauthenticated(settings, bring_up.PATIENT_S)
    if bring_up.opens_itself(anonymous):
        raise GoliveError("a store that another one opens is restored by hand", where=settings.address,
                          todo="vault operator raft snapshot restore -force FILE, as docs/how-to/keep-the-store.md says")
    if node.state == "empty":
        count = len(keepers.names)    # a store that takes a snapshot goes on counting shares as it was initialised
        made = said(lambda: anonymous.sys.initialize(secret_shares=count, secret_threshold=keepers.threshold), "be initialised")
        client.private_file(kept, json.dumps({"keys": made["keys_base64"], "token": made["root_token"]}).encode("ascii"))
    if kept.is_file():
        _give(anonymous, json.loads(kept.read_text("ascii")), keepers.threshold, data)
        kept.unlink()
    anonymous = client.unauthenticated(settings, bring_up.PATIENT_S)
    if said(anonymous.sys.is_sealed, "say whether it is sealed"):
        _open(anonymous, keepers)
    snapshot.await_itself(settings)
    return _compare(settings, keepers, manifest)


def _awaited(settings: Settings) -> nodes.Node:
    """Return the node, which may have been started a moment ago."""
    deadline = time.monotonic() + snapshot.START_S
    while (node := nodes.look(settings, [settings.address])[0]).state == "missing" and time.monotonic() < deadline:
        time.sleep(0.2)
    return node


def _give(anonymous: hvac.Client, first: dict[str, Any], threshold: int, data: bytes) -> None:
    """Open the empty store with its first keys and give it the snapshot, whose key it takes."""
    if said(anonymous.sys.is_sealed, "say whether it is sealed"):
        try:
            for share in first["keys"][:threshold]:
                said(lambda share=share: anonymous.sys.submit_unseal_key(share), "be unsealed")  # type: ignore[misc]
        except GoliveError as exc:
            if "refused" not in str(exc):
                raise
            return    # a run before this one ended right after the snapshot was taken: its first keys open nothing any more
    bring_up._await_active(anonymous)
    anonymous.token = first["token"]
    said(lambda: anonymous.sys.force_restore_raft_snapshot(data), "take the snapshot")
    anonymous.token = None
    snapshot.await_sealed(anonymous)


def _open(anonymous: hvac.Client, keepers: bring_up.Keepers) -> None:
    try:
        bring_up.give_shares(anonymous, keepers)
    except GoliveError as exc:
        if "refused to be unsealed" not in str(exc):
            raise
        raise GoliveError("the people's shares do not open the store of this host, so it holds another one", found=str(exc),
                          todo="nothing was restored; make the host bare, or name another one") from None


def _compare(settings: Settings, keepers: bring_up.Keepers, manifest: dict[str, Any]) -> dict[str, Any]:
    """Compare as the controller, whose identity was saved as well, or with a root token of the people's where it has ended since."""
    try:
        return snapshot.compared(manifest, client.login(settings, None))
    except GoliveError as exc:
        if keepers.secret_keys is None or "invalid" not in str(exc):
            raise
    root = bring_up._root(client.unauthenticated(settings, bring_up.PATIENT_S), keepers)
    found = snapshot.compared(manifest, root)
    said(root.auth.token.revoke_self, "revoke the root token")
    return found
