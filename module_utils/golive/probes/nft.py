"""nft: the policy of our nftables table as the kernel has it loaded, against what was rendered, now and after a boot."""

from __future__ import annotations

import re
import sys
from typing import Any, Dict, List, Mapping, Optional

from ..canonical import digest
from ..errors import Undecided
from . import _document
from .look import Completed, Look, Observed

WITNESS = "kernel"
DEADLINE_S = 15
ASK = {
    "table": "str; required; name of the table",
    "family": "str; optional; inet is the default",
    "rendered": "str; optional; path of the rule file that should be loaded",
    "unit": "str; optional; systemd unit that loads it at boot",
}
FACTS = {
    "table_present": "bool",
    "input_policy": "str; drop, accept, or none where no base chain is hooked there",
    "output_policy": "str",
    "forward_policy": "str",
    "rules": "int",
    "loaded_equals_rendered": "bool; chains and rules the same, handles and counters apart",
    "loaded_digest": "str",
    "rendered_digest": "str",
    "loaded_at_boot": "bool; the unit is enabled and ordered before the network, and did not fail",
    "unit_state": "str; as systemctl is-enabled says",
}
# What the kernel adds or counts on its own is no difference.
_VOLATILE = {"handle", "packets", "bytes", "expires", "used"}
_APART = """import subprocess, sys
path, family, table = sys.argv[1:]
for argv in (["nft", "-f", path], ["nft", "-j", "list", "table", family, table]):
    rc = subprocess.run(argv).returncode
    if rc:
        sys.exit(rc)
"""
_HOOKS = ("input", "output", "forward")


def observe(ask: Mapping[str, Any], look: Look) -> Observed:
    """Read the loaded rules and those of the rendered file. Raises Undecided without nft, root or a namespace of our own."""
    family, table = str(ask.get("family") or "inet"), str(ask["table"])
    for word in (family, table):
        if not re.match(r"[A-Za-z0-9_]+\Z", word):
            raise Undecided("%s is not the name of a table" % word[:60])
    done = look.run(["nft", "-j", "list", "table", family, table])
    facts: Dict[str, Any] = {"table_present": done.rc == 0}
    if done.rc != 0:
        if "No such file" not in done.stderr:
            raise Undecided("nft did not answer: %s" % (done.stderr.strip()[:160] or "rc %d" % done.rc))
        facts.update(
            {"input_policy": "none", "output_policy": "none", "forward_policy": "none", "rules": 0, "loaded_equals_rendered": False}
        )
    else:
        loaded = _objects(done)
        for hook in _HOOKS:
            facts[hook + "_policy"] = _policy(loaded, hook)
        facts["rules"] = sum("rule" in one for one in loaded)
        facts["loaded_digest"] = digest(_plain(loaded, table))
        if ask.get("rendered"):
            facts.update(_rendered(str(ask["rendered"]), table, family, facts["loaded_digest"], look))
    if ask.get("unit"):
        facts.update(_boot(str(ask["unit"]), look))
    return Observed(facts, opportunities=facts["rules"])


def _objects(done: Completed) -> List[Dict[str, Any]]:
    found = _document.mapping(done.stdout.encode("utf-8")).get("nftables")
    if not isinstance(found, list):
        raise Undecided("nft answered something that is no rule set")
    return _document.mappings(found)


def _policy(loaded: List[Dict[str, Any]], hook: str) -> str:
    """Return the strictest policy among the base chains of a hook: a packet must pass them all."""
    policies = [
        str(chain.get("policy") or "accept")
        for one in loaded
        for chain in [one.get("chain")]
        if isinstance(chain, dict) and chain.get("hook") == hook and chain.get("type", "filter") == "filter"
    ]
    if not policies:
        return "none"
    return "drop" if "drop" in policies else policies[0]


def _plain(loaded: List[Dict[str, Any]], table: str) -> List[Any]:
    """Return chains, sets and rules in order, without what the kernel counts; the order of rules matters, of chains it does not."""
    kept = [one for one in (_bare(part) for part in loaded if "metainfo" not in part) if one]
    mine = [_without_learned(one) for one in kept if _table_of(one) == table]
    return sorted(mine, key=lambda one: ("rule" in one, _place(one)))


def _without_learned(one: Dict[str, Any]) -> Dict[str, Any]:
    """Return a set that fills itself (flag dynamic) without what it has learned."""
    body = one.get("set")
    if isinstance(body, dict) and "dynamic" in (body.get("flags") or []):
        return {"set": {key: value for key, value in body.items() if key != "elem"}}
    return one


def _bare(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _bare(one) for key, one in value.items() if key not in _VOLATILE}
    if isinstance(value, list):
        return [_bare(one) for one in value]
    return value


def _table_of(one: Mapping[str, Any]) -> Optional[str]:
    kind, body = next(iter(one.items()))
    if not isinstance(body, dict):
        return None
    return str(body.get("name") if kind == "table" else body.get("table"))


def _place(one: Mapping[str, Any]) -> str:
    kind, body = next(iter(one.items()))
    # Python's sort is stable: rules of one chain keep their order, which is their meaning.
    return "%s/%s" % (kind, body.get("chain") if kind == "rule" else body.get("name"))


def _rendered(path: str, table: str, family: str, loaded: str, look: Look) -> Dict[str, Any]:
    """Load the rendered file in a network namespace that lives for this question only, and list it there.

    So the kernel itself brings both into one form; the host's own rules are not touched.
    """
    if not path.startswith("/"):
        raise Undecided("%s is not an absolute path" % path[:80])
    done = look.run(["unshare", "--net", sys.executable or "python3", "-ISc", _APART, path, family, table], timeout=8)
    if done.rc != 0:
        raise Undecided("the rendered rules could not be loaded apart: %s" % (done.stderr.strip()[-200:] or "rc %d" % done.rc))
    rendered = digest(_plain(_objects(done), table))
    return {"rendered_digest": rendered, "loaded_equals_rendered": rendered == loaded}


def _boot(unit: str, look: Look) -> Dict[str, Any]:
    if not re.match(r"[A-Za-z0-9:_.@-]+\Z", unit):
        raise Undecided("%s is not the name of a unit" % unit[:60])
    done = look.run(["systemctl", "show", "--property=UnitFileState,ActiveState,LoadState", "--", unit])
    if done.rc != 0:
        raise Undecided("systemd did not answer: %s" % done.stderr.strip()[:160])
    words = dict(line.partition("=")[::2] for line in done.stdout.splitlines())
    good = words.get("LoadState") == "loaded" and words.get("UnitFileState") == "enabled" and words.get("ActiveState") == "active"
    return {"unit_state": words.get("UnitFileState") or words.get("LoadState") or "unknown", "loaded_at_boot": good}
