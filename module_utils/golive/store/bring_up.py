"""Brings a store from nothing to configured: initialise once, unseal, configure, revoke the root token. Safe to repeat after a crash.

What is done is seen at the store itself or in files that the store encrypted to people; nothing else is remembered.
"""
from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hvac

from ..errors import GoliveError
from . import client, config, nodes, people
from .settings import Settings
from .wanted import Difference, Wanted, differences

ACTIVE_S = 30
PATIENT_S = 60    # making keys, the first write and configuring on a loaded host take longer than a question


@dataclass(frozen=True)
class Keepers:
    """Who holds the unseal keys: names, their public keys (base64), and in a rehearsal the folder of their secret keys."""

    names: Sequence[str]
    public: Sequence[str]
    threshold: int
    folder: Path                 # where the encrypted shares are kept, one file a person
    secret_keys: Path | None     # None in production: people unseal, golive says whom to ask


def plan_for_nothing(address: str, wanted: Wanted, *, by_itself: bool = False, server_audits: bool = False) -> list[dict[str, Any]]:
    """Return what will happen to a store that is not there yet: the prediction of a dry run on a bare host.

    `by_itself`: another store opens it, so nobody unseals it. `server_audits` as for `bring_up`.
    """
    steps = ("initialise",) if by_itself else ("initialise", "unseal")
    first = [{"object": f"vault:{address}", "op": op, "before": None, "after": None} for op in steps]
    return first + [one.change() for one in _everything(wanted, server_audits)] + [_identity_change(wanted)]


def bring_up(settings: Settings, keepers: Keepers, wanted: Wanted, role: str, *, dry: bool, restarted: bool = False,
             resolve: Callable[[str], str] | None = None, run: str | None = None, server_audits: bool = False) -> list[dict[str, Any]]:
    """Make the store what it should be and return the changes. Raises GoliveError that says who has to do what.

    `resolve` gives the value of a reference, for objects that are made with a secret; `run` is whose one login is used. `restarted`: an
    earlier task of this dry run would have started the server anew, which seals it. `server_audits`: the server makes its audit devices
    itself, out of its own configuration (OpenBao); they are compared, and no client makes them.
    """
    anonymous = client.unauthenticated(settings, PATIENT_S)
    changes = _open(anonymous, settings, keepers, dry=dry)
    if dry and restarted and not changes and not opens_itself(anonymous):
        changes = [_unsealed(settings)]
    elif dry and changes:  # until that was done nobody can ask it
        bare = changes[0]["op"] == "initialise"
        alone = opens_itself(anonymous)
        return plan_for_nothing(settings.address, wanted, by_itself=alone, server_audits=server_audits) if bare else changes
    known = _reader(settings, run)
    root = None
    if known is None and not dry:
        root = _root(anonymous, keepers)
    reader = known or root
    if reader is None:  # a dry run on a store that was initialised but never configured
        return changes + [one.change() for one in _everything(wanted, server_audits)] + [_identity_change(wanted)]
    made = server_audits and not restarted      # a server that will be started anew makes what it lacks then
    try:
        found = _to_do(wanted, config.current(reader, wanted, strict=root is not None), server_audits, made)
    except GoliveError as exc:
        # Its policy was narrowed by hand: the people's shares look instead, and write it again.
        if dry or root is not None or "permission denied" not in str(exc):
            raise
        root = _root(anonymous, keepers)
        found = _to_do(wanted, config.current(root, wanted), server_audits, made)
    if dry:
        return changes + [one.change() for one in found]
    if found and root is None:
        root = _root(anonymous, keepers)
        found = _to_do(wanted, config.current(root, wanted), server_audits, made)
    changes += [one.change() for one in found]
    if found and root is not None:
        config.apply(root, wanted, found, resolve)
    if known is None and root is not None:
        changes.append(_identity_change(wanted))
        _identify(root, role, settings)
    if root is not None:
        client.said(root.auth.token.revoke_self, "revoke the root token")
        (keepers.folder / "root.enc").unlink(missing_ok=True)
    return changes


def _open(anonymous: hvac.Client, settings: Settings, keepers: Keepers, *, dry: bool) -> list[dict[str, Any]]:
    """Initialise and unseal what is not; return the changes."""
    changes: list[dict[str, Any]] = []
    if not client.said(anonymous.sys.is_initialized, "say whether it is initialised"):
        changes.append({"object": f"vault:{settings.address}", "op": "initialise", "before": None, "after": None})
        if dry:
            return changes
        settings.identity.unlink(missing_ok=True)  # of a store that is gone: its host was made anew
        _initialise(anonymous, keepers)
    if opens_itself(anonymous):
        if not dry:
            _await_open(anonymous)
    elif client.said(anonymous.sys.is_sealed, "say whether it is sealed"):
        changes.append(_unsealed(settings))
        if not dry:
            _unseal(anonymous, keepers)
    return changes


def _unsealed(settings: Settings) -> dict[str, Any]:
    return {"object": f"vault:{settings.address}", "op": "unseal", "before": "sealed", "after": "unsealed"}


def _everything(wanted: Wanted, server_audits: bool) -> list[Difference]:
    """Return what a client makes in a store that holds nothing yet."""
    return [one for one in differences(wanted, Wanted()) if not (server_audits and one.kind == "audit")]


def _to_do(wanted: Wanted, there: Wanted, server_audits: bool, made: bool) -> list[Difference]:
    """Return what is left to do. Raises GoliveError where a server that has `made` its audit devices lacks one of its configuration."""
    found = [one for one in differences(wanted, there) if one.op != "surplus"]
    left = [one for one in found if server_audits and one.kind == "audit"]
    if left and made:
        raise GoliveError("the store has not the audit devices of its own configuration", found=f"{left[0].op} {left[0].name} is due",
                          todo="look at its journal: it makes them at its start, and never changes one that is there")
    return [one for one in found if one not in left]


def _reader(settings: Settings, run: str | None) -> hvac.Client | None:
    """Return the logged-in controller, or None where it has no identity (any more): its secret id has ended, or was revoked."""
    if not settings.identity.is_file():
        return None
    try:
        return client.login(settings, run)
    except GoliveError as exc:
        if any(word in str(exc) for word in ("invalid role or secret ID", "invalid secret id", "invalid role ID")):
            return None
        raise


def join(settings: Settings, keepers: Keepers, *, dry: bool, restarted: bool = False) -> list[dict[str, Any]]:
    """Make a further member of the cluster take part: it joins by itself (retry_join), and is unsealed with the same shares.

    `restarted` as for `bring_up`.
    """
    # Without an authority nothing was built yet: a dry run on bare hosts.
    bare = dry and not settings.ca_file.is_file()
    node = nodes.Node(settings.address, "missing") if bare else nodes.look(settings, [settings.address])[0]
    changes: list[dict[str, Any]] = []
    if node.state in {"empty", "missing"}:  # it joins by itself, a moment before or after this look: no change that a run makes
        node = nodes.await_joined(settings, nodes.JOIN_S) if not dry else nodes.Node(settings.address, "sealed")
    if node.state == "stranger":
        raise GoliveError("this member of the store shows a certificate that is not ours", where=settings.address)
    if node.state == "sealed" or (restarted and node.serves and not opens_itself(client.unauthenticated(settings, PATIENT_S))):
        changes.append(_unsealed(settings))
        if not dry:
            unseal_member(settings, keepers)
    return changes


def unseal_member(settings: Settings, keepers: Keepers) -> None:
    """Unseal one node and wait until it serves."""
    anonymous = client.unauthenticated(settings, PATIENT_S)
    for share in shares_of(keepers):
        client.said(lambda share=share: anonymous.sys.submit_unseal_key(share()), "be unsealed")  # type: ignore[misc]
    # A member proves its shares to the leader before it counts itself as unsealed.
    deadline = time.monotonic() + nodes.JOIN_S
    while not (node := nodes.look(settings, [settings.address])[0]).serves:
        if time.monotonic() >= deadline:
            raise GoliveError("this member of the store was given its shares and does not serve", found=nodes.told([node]),
                              todo="look at its journal; the first member has to be unsealed and reachable on port 8201")
        time.sleep(0.2)


def surplus(settings: Settings, wanted: Wanted, run: str | None = None) -> list[str]:
    """Return the objects that are in the store and not in code: reported as drift, never removed by golive."""
    found = differences(wanted, config.current(client.login(settings, run), wanted))
    return [f"vault_{one.kind}:{one.name}" for one in found if one.op == "surplus"]


def _identity_change(wanted: Wanted) -> dict[str, Any]:
    return {"object": f"vault_identity:{', '.join(sorted(wanted.roles))}", "op": "create", "before": None, "after": None}


def _initialise(anonymous: hvac.Client, keepers: Keepers) -> None:
    # A store that another one opens has no unseal keys; the people's shares make a root token there, and nothing else.
    kind = "recovery" if opens_itself(anonymous) else "secret"
    asked = {f"{kind}_shares": len(keepers.names), f"{kind}_threshold": keepers.threshold,
             "recovery_pgp_keys" if kind == "recovery" else "pgp_keys": list(keepers.public)}
    answer = client.said(lambda: anonymous.sys.initialize(**asked, root_token_pgp_key=keepers.public[0]), "be initialised")
    # The answer is given once. It is encrypted to people, so it may lie on a disk; it goes there before anything else happens.
    for name, share in zip(keepers.names, answer["recovery_keys_base64" if kind == "recovery" else "keys_base64"]):
        client.private_file(keepers.folder / f"{name}.share.enc", share.encode("ascii"))
    client.private_file(keepers.folder / "root.enc", answer["root_token"].encode("ascii"))


def shares_of(keepers: Keepers) -> list[Callable[[], str]]:
    """Return what opens each share that is needed, one at a time. Raises GoliveError that names the people who have to come."""
    if keepers.secret_keys is None:
        raise GoliveError(f"the store is sealed: {keepers.threshold} of {', '.join(keepers.names)} have to unseal it",
                          todo="each decrypts the own share and runs: vault operator unseal")
    folder, secret = keepers.folder, keepers.secret_keys

    def one(name: str) -> Callable[[], str]:
        return lambda: people.open_share((folder / f"{name}.share.enc").read_text("ascii"), secret / f"{name}.pgp.secret")

    missing = [name for name in keepers.names[: keepers.threshold] if not (folder / f"{name}.share.enc").is_file()]
    if missing:
        raise GoliveError(f"the unseal shares of {', '.join(missing)} are not here", where=folder.name,
                          todo="in a rehearsal reset the store's host (make lab-down, make lab); in production ask those people")
    return [one(name) for name in keepers.names[: keepers.threshold]]


def _unseal(anonymous: hvac.Client, keepers: Keepers) -> None:
    give_shares(anonymous, keepers)
    _await_active(anonymous)


def give_shares(anonymous: hvac.Client, keepers: Keepers) -> None:
    """Open a sealed store with the people's shares; it serves a moment later."""
    for share in shares_of(keepers):
        client.said(lambda share=share: anonymous.sys.submit_unseal_key(share()), "be unsealed")  # type: ignore[misc]
    if client.said(anonymous.sys.is_sealed, "say whether it is sealed"):
        raise GoliveError("the store is still sealed", found=f"{keepers.threshold} shares were given",
                          todo="in a rehearsal the store was initialised by another lab: reset its host")


def opens_itself(anonymous: hvac.Client) -> bool:
    """Return whether another store or a key service holds the key of this one."""
    return bool(client.said(anonymous.sys.read_seal_status, "say how it is sealed").get("recovery_seal"))


def _await_open(anonymous: hvac.Client) -> None:
    deadline = time.monotonic() + ACTIVE_S
    while client.said(anonymous.sys.is_sealed, "say whether it is sealed"):
        if time.monotonic() >= deadline:
            raise GoliveError("the store does not open by itself", found=f"sealed after {ACTIVE_S} s",
                              todo="look whether the store that holds its key serves, and whether its token was revoked")
        time.sleep(0.1)
    _await_active(anonymous)


def _await_active(anonymous: hvac.Client) -> None:
    """Wait until an unsealed node serves requests: it elects itself, or another node of the cluster, a moment later."""
    deadline = time.monotonic() + ACTIVE_S
    while not client.said(anonymous.sys.read_leader_status, "name its leader").get("leader_address"):
        if time.monotonic() >= deadline:
            raise GoliveError("the store has no active node", found=f"none within {ACTIVE_S} s", todo="look at its journal")
        time.sleep(0.1)


def _root(anonymous: hvac.Client, keepers: Keepers) -> hvac.Client:
    """Return a client with a root token, from the first initialisation or by the people's shares; it is revoked after use."""
    kept = keepers.folder / "root.enc"
    if kept.is_file() and keepers.secret_keys is not None:
        anonymous.token = people.open_share(kept.read_text("ascii"), keepers.secret_keys / f"{keepers.names[0]}.pgp.secret")
        if client.said(anonymous.is_authenticated, "check the root token"):
            return anonymous
    shares = shares_of(keepers)
    started = client.said(anonymous.sys.start_root_token_generation, "start a root token")
    nonce, otp = started["nonce"], started["otp"]
    answer: Mapping[str, Any] = {}
    for share in shares:
        answer = client.said(lambda share=share: anonymous.sys.generate_root(key=share(), nonce=nonce), "make a root token")  # type: ignore[misc]
    encoded = base64.b64decode(str(answer["encoded_token"]) + "==")
    anonymous.token = bytes(a ^ b for a, b in zip(encoded, otp.encode("ascii"))).decode("ascii")
    return anonymous


def _identify(root: hvac.Client, role: str, settings: Settings) -> None:
    role_id = client.said(lambda: root.auth.approle.read_role_id(role), "read the role id")["data"]["role_id"]
    # Wrapped, so that the answer that passes by holds no secret id; it is opened once, here, and that it could be opened proves that
    # nobody opened it before.
    wrapped = client.said(lambda: root.auth.approle.generate_secret_id(role, wrap_ttl="60s"), "make a secret id")["wrap_info"]["token"]
    opener = client.unauthenticated(settings)
    opener.token = wrapped
    opened = client.said(opener.sys.unwrap, "unwrap the secret id")
    secret_id = opened["data"]["secret_id"]
    client.private_file(settings.identity, json.dumps({"role_id": role_id, "secret_id": secret_id}).encode("ascii"))
