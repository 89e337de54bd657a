"""Is this inventory file one that a run can start from? Asked of those below inventories/ before Ansible reads them. Controller only.

Ansible answers a mistyped path, an empty file or a group with a wrong name with several lines of its own, or, worst, with nothing: a play
for a group that is not there is skipped in silence.
"""
from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from . import compile as compiler
from . import profile, session
from .errors import GoliveError

FOLDER = "inventories"
CONTROLLER = "controller"
_HOSTS = re.compile(r"^\s*(?:-\s+)?hosts:\s*(?P<pattern>\S.*?)\s*$", re.MULTILINE)


def is_ours(path: Path, root: Path) -> bool:
    """Return whether a path is inventories/<system>/<name>, whether there is such a file or not."""
    try:
        parts = path.absolute().relative_to(root / FOLDER).parts
    except ValueError:
        return False
    return len(parts) <= 2


def check(path: Path, root: Path) -> bool:
    """Return whether the file names any host.

    Raises GoliveError, one sentence, unless it can be read and names every group that a play is for and, if any host, the controller.
    """
    known = sorted(str(one.relative_to(root)) for one in (root / FOLDER).glob("*/*.yml"))
    if path.is_dir():
        raise GoliveError("the inventory is a folder", where=str(path), expected="one file in it, lab.yml or production.yml",
                          todo="a folder would mix lab and production")
    if not path.is_file():
        near = _nearest(str(path.absolute().relative_to(root)), known)
        raise GoliveError("there is no such inventory file", where=str(path), expected=near or "-i inventories/<system>/lab.yml")
    found = _yaml(path)
    if not isinstance(found, Mapping) or not isinstance(found.get("all"), Mapping):
        raise GoliveError("the inventory is empty" if not found else "the inventory has no group 'all'", where=str(path),
                          expected="all: {children: {rehearsal: …} or {production: …}}", todo="compare with inventories/kraken-micro")
    groups, hosts = _members(found)
    for name in sorted(wanted_groups(root)):
        if name not in groups and name not in hosts:
            near = _nearest(name, groups)
            raise GoliveError(f"the inventory has no group {name}", where=str(path), found=near and f"{near} (mistyped?)",
                              todo="every group that a play is for has to be there, if only empty")
    if hosts and CONTROLLER not in hosts:
        raise GoliveError(f"the inventory has no host {CONTROLLER}", where=str(path), found=_nearest(CONTROLLER, hosts),
                          todo=f"add it: {CONTROLLER}: {{ansible_connection: local}}")
    for file in sorted((path.parent / "group_vars").rglob("*.yml")):
        _yaml(file)
    return bool(hosts)


def compile_without_hosts(path: Path, root: Path) -> None:
    """Compile profile, catalogue and checklist of an inventory that names no host yet, then raise GoliveError: that is all there is to do.

    Somebody who begins learns of mistakes in what was written before any host is named.
    """
    values = profile.from_files(path.parent, path.stem)
    plain = {name: value for name, value in values.items() if not (isinstance(value, str) and "{{" in value)}
    compiler.compile_system(path.parent.name, profile.freeze(plain, rehearsal=False), root)
    session.kind_of({})


def wanted_groups(root: Path) -> set[str]:
    """Return the groups that the plays of golive.yml and playbooks/ are for."""
    found: set[str] = set()
    for path in [root / "golive.yml", *(root / "playbooks").rglob("*.yml")]:
        for match in _HOSTS.finditer(path.read_text("utf-8") if path.is_file() else ""):
            if "{" not in match["pattern"]:
                found |= {part.lstrip("&!").strip() for part in re.split(r"[:,]", match["pattern"].split(" #")[0].strip("\"'"))}
    return found - {CONTROLLER, "all", "localhost", ""}


def _yaml(path: Path) -> Any:
    """Return the plain data of a YAML file; tags such as !vault are not looked into. Raises GoliveError with the line."""
    try:
        node = yaml.compose(path.read_text("utf-8"), Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark
        raise GoliveError("is not YAML", where=f"{path}:{mark.line + 1 if mark else 1}", found=exc.problem) from None
    except (OSError, ValueError, yaml.YAMLError) as exc:
        raise GoliveError("cannot be read as YAML", where=str(path), found=getattr(exc, "strerror", None) or type(exc).__name__) from None
    return _plain(node)


def _plain(node: yaml.Node | None) -> Any:
    if isinstance(node, yaml.MappingNode):
        return {str(key.value): _plain(value) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [_plain(one) for one in node.value]
    return None if node is None else str(node.value) or None


def _members(found: Mapping[str, Any]) -> tuple[set[str], set[str]]:
    groups, hosts = set[str](), set[str]()
    for name, body in _walk(found):
        groups.add(name)
        if isinstance(body, Mapping) and isinstance(body.get("hosts"), Mapping):
            hosts |= set(body["hosts"])
    return groups, hosts


def _walk(found: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, body in found.items():
        yield name, body
        if isinstance(body, Mapping) and isinstance(body.get("children"), Mapping):
            yield from _walk(body["children"])


def _nearest(name: str, known: Iterable[str]) -> str | None:
    return next(iter(difflib.get_close_matches(name, sorted(known), 1, 0.6)), None)
