"""What is sent to a host that looks: the sources of the runner and of the probes it needs, in one text for `python3 -ISE -`.

Nothing is installed on a host in order to look at it, and no AnsiballZ is paid for: a stock module costs 0.15 s of target CPU
before it does anything (measured, see docs/explanation/performance.md).
"""
from __future__ import annotations

import ast
import contextlib
import gc
import importlib
import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from . import canonical
from .errors import GoliveError

PACKAGE = Path(__file__).parent
# importlib.abc is left out: it brings tempfile, pathlib and urllib along, a third of the CPU of a start (performance.md).
_BOOT = '''import sys, json
import importlib, importlib.machinery
P = json.loads(sys.argv[1] if len(sys.argv) > 1 else %(payload)s)
class F:
    def find_spec(self, name, path=None, target=None):
        if name in P["sources"]:
            return importlib.machinery.ModuleSpec(name, self, is_package=P["sources"][name][0])
    def create_module(self, spec):
        return None
    def exec_module(self, module):
        name = module.__spec__.name
        exec(compile(P["sources"][name][1], "<" + name + ">", "exec"), module.__dict__)
sys.meta_path.insert(0, F())
importlib.import_module(%(entry)r).main(P)
'''


@dataclass(frozen=True)
class Probe:
    """What a probe file declares of itself, read without importing it."""

    name: str
    doc: str
    executor: str                 # remote | local
    witness: str
    deadline_s: float
    ask: dict[str, str] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)
    digest: str = ""              # over the file and everything of golive that it imports


@cache
def probe_names() -> tuple[str, ...]:
    """Return the probe types that exist, sorted."""
    return tuple(sorted(p.stem for p in (PACKAGE / "probes").glob("*.py") if p.stem not in {"__init__", "look", "web"}
                        and not p.stem.startswith("_")))


@cache
def probe(name: str) -> Probe:
    """Return what a probe declares. Raises GoliveError when its constants are missing or not literals."""
    path = PACKAGE / "probes" / f"{name}.py"
    tree = ast.parse(path.read_text("utf-8"))
    found: dict[str, Any] = {}
    for node in tree.body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(target, ast.Name) and target.id in {"ASK", "FACTS", "WITNESS", "DEADLINE_S", "EXECUTOR"}:
            try:
                found[target.id] = ast.literal_eval(node.value)  # type: ignore[attr-defined]
            except (ValueError, TypeError):
                raise GoliveError(f"{target.id} is not a literal", where=f"probes/{name}.py:{node.lineno}") from None
    missing = [word for word in ("ASK", "FACTS", "WITNESS", "DEADLINE_S") if word not in found]
    if missing:
        raise GoliveError("the probe does not declare " + ", ".join(missing), where=f"probes/{name}.py")
    return Probe(name, ast.get_docstring(tree) or "", found.get("EXECUTOR", "remote"), found["WITNESS"], float(found["DEADLINE_S"]),
                 found["ASK"], found["FACTS"], canonical.digest(sources([f"golive.probes.{name}"])))


def warm() -> None:
    """Read what is sent to hosts and import what actions import, so that processes forked from this one need not.

    A probe that is malformed is left to whoever compiles the catalogue: it says so with file and line. What is there by then is frozen:
    the collector of each fork would walk, and so copy, all of it for nothing (an eighth of the controller's CPU in a run without changes).
    """
    for name in ("gate", "plan", "rehearsal.acting", "secrets", "sets.content_action"):
        importlib.import_module(f"{__package__}.{name}")
    sources([f"golive.sets.{path.stem}" for path in (PACKAGE / "sets").glob("*.py")])
    for name in probe_names():
        with contextlib.suppress(GoliveError, SyntaxError, OSError):
            probe(name)
    gc.freeze()


def sources(roots: list[str]) -> dict[str, tuple[bool, str]]:
    """Return {module: (is_package, source)} of these modules and of all of golive that they import, lazily or not."""
    todo, seen = list(roots), dict[str, tuple[bool, str]]()
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        is_package, text = _source(name)
        seen[name] = (is_package, text)
        todo += _imports(name, is_package, text)
        if "." in name:
            todo.append(name.rpartition(".")[0])
    return dict(sorted(seen.items()))


def _file(name: str) -> Path | None:
    base = PACKAGE.joinpath(*name.split(".")[1:])
    for path in (base / "__init__.py", base.with_suffix(".py")):
        if path.is_file():
            return path
    return None


def _source(name: str) -> tuple[bool, str]:
    path = _file(name)
    if path is None:
        raise GoliveError(f"there is no module {name}", where=str(PACKAGE.name))
    return path.name == "__init__.py", path.read_text("utf-8")


@cache
def _imports(name: str, is_package: bool, text: str) -> tuple[str, ...]:
    """Return the golive modules that a module's text imports relatively; type-checking imports count, they cost nothing unused."""
    here = name.split(".") if is_package else name.split(".")[:-1]
    found: list[str] = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = ".".join(here[: len(here) - node.level + 1] + (node.module.split(".") if node.module else []))
            found.append(base)
            found += [f"{base}.{alias.name}" for alias in node.names if _file(f"{base}.{alias.name}")]
    return tuple(found)


def script(plan: dict[str, Any], secrets: dict[str, str]) -> bytes:
    """Return the Python text that runs a plan on a host, to be given on standard input. It holds the secrets' values."""
    needed = sorted({entry["probe"] for entry in plan["probes"]})
    code = sources(["golive.runner", *(f"golive.probes.{name}" for name in needed)])
    return _booted("golive.runner", {"plan": plan, "secrets": secrets, "sources": code})


def program(entry: str, payload: dict[str, Any], also: tuple[str, ...] = ()) -> bytes:
    """Return the Python text that runs `main(payload)` of a golive module on a host, to be given on standard input.

    `also` are modules that it loads by name.
    """
    return _booted(entry, {**payload, "sources": sources([entry, *also])})


def _booted(entry: str, payload: dict[str, Any]) -> bytes:
    return (_BOOT % {"entry": entry, "payload": repr(json.dumps(payload))}).encode("utf-8")
