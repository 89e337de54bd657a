"""Which node of a store is active, standby, sealed, empty, removed, a stranger or missing? Each is told apart, by its own word."""
from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import hvac
import requests

from ..errors import GoliveError
from . import client
from .settings import Settings

# https://developer.hashicorp.com/vault/api-docs/system/health
_STATES = {200: "active", 429: "standby", 472: "standby", 473: "standby", 501: "empty", 503: "sealed", 530: "removed"}
_TIMEOUT_S = 3.0
JOIN_S = 60
VOTE_S = 120    # a new member is watched 10 s before it votes, and the loaded host of a test is slow


@dataclass(frozen=True)
class Node:
    """`state`: active, standby, sealed, empty (never initialised), removed (its cluster turned it away), stranger (its certificate is not
    ours) or missing; `words` says more.
    """

    address: str
    state: str
    words: str = ""

    @property
    def serves(self) -> bool:
        return self.state in {"active", "standby"}


def look(settings: Settings, addresses: Sequence[str]) -> list[Node]:
    """Ask every node for its health, without a token."""
    return [_one(replace(settings, address=address)) for address in addresses]


def choose(settings: Settings, addresses: Sequence[str]) -> Settings:
    """Return the settings of a node that serves, the active one first. Raises GoliveError that tells the state of each."""
    nodes = look(settings, addresses)
    for state in ("active", "standby"):
        for node in nodes:
            if node.state == state:
                return replace(settings, address=node.address)
    raise GoliveError("no node of the store serves", found=told(nodes), todo=_todo(nodes))


def told(nodes: Sequence[Node]) -> str:
    """Return one line for people: `https://a:8200 sealed, https://b:8200 missing (refused)`."""
    return ", ".join(f"{node.address} {node.state}" + (f" ({node.words})" if node.words else "") for node in nodes)


def await_joined(settings: Settings, seconds: float) -> Node:
    """Wait until a member has found its cluster: it is not empty any more. Raises GoliveError when it does not in time."""
    deadline = time.monotonic() + seconds
    while True:
        node = _one(settings)
        if node.state not in {"empty", "missing"}:
            return node
        if time.monotonic() >= deadline:
            raise GoliveError("this member of the store does not find its cluster", where=settings.address, found=told([node]),
                              todo="look whether the first member is unsealed, and whether port 8201 is open between them")
        time.sleep(0.2)


def voters(connected: hvac.Client) -> list[str]:
    """Return the ids of the members whose vote counts. A member that joined is watched for some seconds before it may vote."""
    answer = client.said(lambda: connected.read("sys/storage/raft/configuration"), "name its members")
    return sorted(str(one["node_id"]) for one in answer["data"]["config"]["servers"] if one["voter"])


def await_voters(connected: hvac.Client, count: int, seconds: float) -> list[str]:
    """Wait until so many members vote: before that the loss of one node can stop the store. Raises GoliveError when it does not happen."""
    deadline = time.monotonic() + seconds
    while len(found := voters(connected)) < count:
        if time.monotonic() >= deadline:
            raise GoliveError("the store cannot lose a node yet", found=f"{len(found)} members vote: {', '.join(found)}",
                              expected=str(count), todo="look at the journal of those that do not; they need port 8201 of each other")
        time.sleep(0.5)
    return found


def _one(settings: Settings) -> Node:
    connected = client.unauthenticated(settings, _TIMEOUT_S)
    try:
        answer = connected.adapter.session.get(f"{settings.address}/v1/sys/health", timeout=_TIMEOUT_S, allow_redirects=False)
    except requests.exceptions.SSLError:
        return Node(settings.address, "stranger", "its certificate is not accepted")
    except requests.exceptions.Timeout:
        return Node(settings.address, "missing", f"no answer in {_TIMEOUT_S:.0f} s")
    except requests.exceptions.RequestException:
        return Node(settings.address, "missing", "nobody listens")
    state = _STATES.get(answer.status_code)
    return Node(settings.address, state, "") if state else Node(settings.address, "missing", f"it answers {answer.status_code}")


def _todo(nodes: Sequence[Node]) -> str:
    if any(node.state == "sealed" for node in nodes):
        return "have it unsealed: playbooks/operate/unseal.yml"
    return "start it, or look at its journal" if nodes else "set vault_addresses"
