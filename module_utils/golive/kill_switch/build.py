"""Assembles the parts of the kill switch into the one standard-library file that lies on a kill machine.

    python -m golive.kill_switch.build [--check]

Each part is an ordinary module; the one file holds them in the order of PARTS, without their imports of each other and with the
standard library's imports gathered at the top. A name that two parts define is an error. `tests/unit/kill_switch/test_build.py` repeats it.
"""
from __future__ import annotations

import ast
import os
import sys
from pathlib import Path
from typing import Dict, List, Set, Tuple

HERE = Path(__file__).parent
FILE = HERE / "kill_switch.py"
PARTS = ("words", "line", "plan", "venue", "kraken_calls", "kraken", "binance_calls", "binance_spot", "binance_futures", "settings",
         "beside", "turn", "kill", "main")
HEAD = '''#!/usr/bin/env python3
"""Stop, now: cancel every entry order at the venue, fence the bot, keep stops as long as the position, until it is seen to be so.

One file, standard library only, Python 3.9+. It takes no lock and waits for nothing: no store, no Ansible, no audit write stands before
the first cancel. Fencing the bot's host, raising the epoch and paging run beside it. It ends when the bot is fenced and two readings,
`settle_s` apart, show that nothing is left to do; while no fence is confirmed it says that the bot may still be trading and goes on.

Ends in `flat` or `held with stops` (exit 0) or `NAKED` (exit 3: a position without a stop; what to do is printed). Usage errors: 64.

Assembled from module_utils/golive/kill_switch/parts by `python -m golive.kill_switch.build`: change the parts, not this file.
"""
from __future__ import annotations

'''
TAIL = '''

if __name__ == "__main__":
    sys.exit(main())
'''


class Clash(Exception):
    """The parts do not fit into one file."""


def assemble(folder: Path = HERE / "parts") -> str:
    """Return the one file. Raises Clash."""
    plain: Set[str] = set()
    named: Dict[str, Set[str]] = {}
    owner: Dict[str, str] = {}
    bodies: List[str] = []
    for part in PARTS:
        source = (folder / (part + ".py")).read_text(encoding="utf-8")
        lines, tree, dropped = source.splitlines(), ast.parse(source), set()    # type: List[str], ast.Module, Set[int]
        for index, node in enumerate(tree.body):
            if isinstance(node, (ast.Import, ast.ImportFrom)) or (index == 0 and _is_docstring(node)):
                dropped.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
                _imports(node, part, plain, named)
            for name in _names(node):
                if owner.setdefault(name, part) != part:
                    raise Clash("%s is defined in %s and in %s" % (name, owner[name], part))
        body = "\n".join(line for number, line in enumerate(lines, 1) if number not in dropped).strip("\n")
        said = ["# " + line if line else "#" for line in (ast.get_docstring(tree) or "").strip().splitlines()]
        bodies.append("\n".join(["# " + "=" * 30 + " " + part, *said, _spaced(body)]))
    imports = ["import %s" % name for name in sorted(plain)]
    imports += ["from %s import %s" % (module, ", ".join(sorted(names, key=str.lower))) for module, names in sorted(named.items())]
    return HEAD + "\n".join(imports) + "\n\n" + "\n\n\n".join(bodies) + "\n" + TAIL


def _spaced(body: str) -> str:
    return ("\n\n" + body) if body.startswith(("class ", "def ", "@")) else body


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _imports(node: ast.stmt, part: str, plain: Set[str], named: Dict[str, Set[str]]) -> None:
    if isinstance(node, ast.Import):
        if any(alias.asname for alias in node.names):
            raise Clash("%s imports under another name" % part)
        plain.update(alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        if any(alias.asname for alias in node.names) or (node.level and (node.module or "") not in PARTS):
            raise Clash("%s imports what the one file cannot hold" % part)
        if not node.level and node.module != "__future__":
            named.setdefault(node.module or "", set()).update(alias.name for alias in node.names)


def _names(node: ast.stmt) -> Tuple[str, ...]:
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return (node.name,)
    if isinstance(node, ast.Assign):
        return tuple(one.id for target in node.targets for one in ast.walk(target) if isinstance(one, ast.Name))
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return (node.target.id,)
    return ()


def main() -> int:
    """Write the one file, or with --check say whether it is what the parts make."""
    made = assemble()
    if "--check" in sys.argv[1:]:
        if FILE.read_text(encoding="utf-8") == made:
            return 0
        print("%s is not what its parts make; run python -m golive.kill_switch.build" % FILE.name, file=sys.stderr)
        return 1
    fresh = FILE.with_name(".%s.new" % FILE.name)       # in one step: somebody may be copying it to a machine at this moment
    fresh.write_text(made, encoding="utf-8")
    os.replace(fresh, FILE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
