"""Restarts the store node by node: never one while another is away, standbys before the active one, each unsealed before the next."""
from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from ..errors import GoliveError
from . import bring_up, client, nodes
from .settings import Settings

BACK_S = 120
Node = nodes.Node


def order(found: Sequence[Node]) -> list[str]:
    """Return the addresses in the order of restarting. Raises GoliveError when a node is away: with one more the others would stop."""
    away = [node for node in found if not node.serves]
    if away:
        raise GoliveError("not every node of the store serves, so none is restarted", found=nodes.told(found),
                          todo="unseal or start what is away first: playbooks/operate/unseal.yml")
    return [node.address for node in sorted(found, key=lambda node: (node.state == "active", node.address))]


def restart(settings: Settings, addresses: Sequence[str], keepers: bring_up.Keepers, again: Callable[[], None]) -> None:
    """Restart the node of `settings` by `again` and wait until all of `addresses` serve. Raises GoliveError when they do not.

    Asked before, not after: whether somebody is here who can unseal it, and whether the others serve.
    """
    anonymous = client.unauthenticated(settings, bring_up.PATIENT_S)
    if not bring_up.opens_itself(anonymous):
        bring_up.shares_of(keepers)
    order(nodes.look(settings, addresses))
    again()
    deadline = time.monotonic() + BACK_S
    while (node := nodes.look(settings, [settings.address])[0]).state != "sealed" and not node.serves:
        _patience(deadline, "a node of the store does not come back after its restart", [node])
    if node.state == "sealed" and not bring_up.opens_itself(anonymous):
        bring_up.unseal_member(settings, keepers)
    while not _whole(found := nodes.look(settings, addresses)):
        _patience(deadline, "the store is not whole again after a node was restarted", found)


def _whole(found: Sequence[Node]) -> bool:
    return all(one.serves for one in found) and any(one.state == "active" for one in found)


def _patience(deadline: float, what: str, found: Sequence[Node]) -> None:
    if time.monotonic() >= deadline:
        raise GoliveError(what, found=nodes.told(found), todo="look at its journal; no other node was restarted")
    time.sleep(0.2)

