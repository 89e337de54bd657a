"""source: files of a repository at one commit: stubs, markers, documents, and the lock of the dependencies."""
from __future__ import annotations

import ast
import io
import os
import re
import tokenize
from datetime import datetime, timezone
from typing import Any, Dict, Iterator, List, Optional, Set, Tuple

from ..errors import Undecided
from .look import Look, Observed

WITNESS = "golive"
EXECUTOR = "local"
DEADLINE_S = 60
ASK = {
    "question": "str; required; stubs, markers, document, lock or paths",
    "repository": "str; optional; git repository, relative to the project; the project itself is the default",
    "commit": "str; optional; HEAD is the default",
    "entry_points": "list of str; stubs; Python files or packages from which everything reachable is read",
    "words": "list of str; markers",
    "path": "str; document",
    "playbooks": "list of str; document; playbooks that it must name",
    "lock_file": "str; lock; requirements with hashes, or uv.lock",
    "paths": "list of str; paths",
}
FACTS = {
    "stubs": "list of str; file:line of functions without a body",
    "not_implemented": "list of str; file:line of functions that raise NotImplementedError",
    "unparsed": "list of str; files that cannot be read as Python",
    "functions": "int; functions that were read",
    "files": "int",
    "critical": "list of str; markers called critical",
    "without_issue": "list of str; markers without an issue number",
    "present": "bool",
    "unnamed_playbooks": "list of str; not named in the document",
    "missing_playbooks": "list of str; named and not there",
    "reviewed_age_days": "number; since the date behind `Reviewed:`",
    "lock_present": "bool",
    "unhashed": "list of str; distributions without a hash",
    "distributions": "int",
    "missing_paths": "list of str",
}
_SUFFIXES = (".py", ".sh", ".yml", ".yaml", ".js", ".ts", ".go", ".rs", ".toml", ".j2")
_REVIEWED = re.compile(r"^\W*Reviewed:?\W*(\d{4}-\d\d-\d\d)\b", re.MULTILINE | re.IGNORECASE)
_PLAYBOOK = re.compile(r"\bplaybooks/[A-Za-z0-9_./-]+\.ya?ml\b")
_CAP = 2 << 20


class Tree:
    """The files of a commit, read through git: what lies uncommitted in the work tree is not what will be deployed."""

    def __init__(self, ask: Dict[str, Any], look: Look) -> None:
        root = str(look.context.get("root") or ".")
        self._look, self._at = look, os.path.join(root, str(ask.get("repository") or "."))
        commit = str(ask.get("commit") or "HEAD")
        if commit.startswith("-"):
            raise Undecided("%r is no commit" % commit[:40])
        self.commit = self._git("rev-parse", "--verify", "--end-of-options", commit + "^{commit}").strip()
        self.paths = [path for path in self._git("ls-tree", "-r", "-z", "--name-only", "--full-tree", self.commit).split("\0") if path]

    def _git(self, *words: str) -> str:
        done = self._look.run(["git", "-c", "safe.directory=*", "-C", self._at, *words], timeout=30, env={"HOME": "/nonexistent"})
        if done.rc != 0:
            raise Undecided("git did not answer: %s" % (done.stderr.strip().splitlines() or ["no words"])[-1][:160])
        return done.stdout

    def containing(self, words: List[str]) -> List[str]:
        """Return the files in which one of the words stands."""
        patterns = [part for word in words for part in ("-e", word)]
        argv = ["git", "-c", "safe.directory=*", "-C", self._at, "grep", "-z", "-l", "-w", "-I", "-F", "--full-name"]
        done = self._look.run([*argv, *patterns, self.commit], timeout=30, env={"HOME": "/nonexistent"})
        if done.rc not in (0, 1):
            raise Undecided("git did not answer: %s" % (done.stderr.strip().splitlines() or ["no words"])[-1][:160])
        return [name.partition(":")[2] for name in done.stdout.split("\0") if name]

    def read(self, path: str) -> Optional[str]:
        """Return the text of a file of the commit, None when it is not there."""
        if path not in self.paths:
            return None
        text = self._git("cat-file", "blob", "%s:%s" % (self.commit, path))
        if len(text) >= 1 << 20:
            raise Undecided("%s is too large to be read whole" % path)
        return text


def observe(ask: Dict[str, Any], look: Look) -> Any:
    """Answer one question about a commit."""
    question = {"stubs": _stubs, "markers": _markers, "document": _document, "lock": _lock, "paths": _paths}.get(str(ask.get("question")))
    if question is None:
        raise Undecided("no such question to a source: %s" % str(ask.get("question"))[:40])
    return question(ask, Tree(ask, look), look)


def _stubs(ask: Dict[str, Any], tree: Tree, _look: Look) -> Observed:
    stubs: List[str] = []
    raising: List[str] = []
    unparsed: List[str] = []
    functions = 0
    files = reachable(tree, list(ask.get("entry_points") or []))
    if not files:
        raise Undecided("no Python file of the commit lies at %s" % ", ".join(ask.get("entry_points") or ["no entry point"]))
    for path in files:
        module = _parsed(tree.read(path))
        if module is None:
            unparsed.append(path)
            continue
        for node in ast.walk(module):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and not _declared(node, module):
                functions += 1
                place, kind = "%s:%d %s" % (path, node.lineno, node.name), body_kind(node)
                stubs += [place] if kind == "empty" else []
                raising += [place] if kind == "not_implemented" else []
    facts = {"stubs": stubs + raising, "not_implemented": raising, "unparsed": unparsed, "functions": functions, "files": len(files)}
    return Observed(facts, opportunities=functions)


def reachable(tree: Tree, entry_points: List[str]) -> List[str]:
    """Return the Python files of the commit that the entry points lead to by import, themselves included."""
    python = {path for path in tree.paths if path.endswith(".py")}
    waiting = [path for entry in entry_points for path in sorted(python) if path == entry or path.startswith(entry.rstrip("/") + "/")]
    # `python -m package` begins in one file; a package given as an entry point is read whole.
    seen: Set[str] = set()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        module = _parsed(tree.read(path))
        if module is not None:
            waiting.extend(found for name in _imports(module, path) for found in _files_of(name, path, python) if found not in seen)
    return sorted(seen)


def _parsed(text: Optional[str]) -> Optional[ast.Module]:
    try:
        return ast.parse(text or "")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _imports(module: ast.Module, path: str) -> Iterator[str]:
    """Yield the dotted names a file imports; relative ones are made absolute from its folder."""
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                folder = path.split("/")[:-node.level]
                base = ".".join(["", *folder, *([base] if base else [])])
            for alias in node.names:
                yield "%s.%s" % (base, alias.name)
            yield base


def _files_of(name: str, path: str, python: Set[str]) -> List[str]:
    """Return the files of a dotted name: an absolute one (leading dot: from the root of the tree) or beside the importing file."""
    parts = name.strip(".").split(".")
    roots = [""] if name.startswith(".") else ["/".join(path.split("/")[:depth]) for depth in range(path.count("/") + 1)]
    for root in roots:
        place = "/".join([*([root] if root else []), *parts])
        found = [one for one in (place + ".py", place + "/__init__.py") if one in python]
        if found:
            return found
    return []


def _declared(node: Any, module: ast.Module) -> bool:
    """Return whether a function only declares: overloads, abstract methods and the methods of a Protocol have no body by design."""
    for decorator in node.decorator_list:
        name = decorator.attr if isinstance(decorator, ast.Attribute) else getattr(decorator, "id", "")
        if name in ("overload", "abstractmethod"):
            return True
    for parent in ast.walk(module):
        if isinstance(parent, ast.ClassDef) and node in parent.body:
            bases = [base.value if isinstance(base, ast.Subscript) else base for base in parent.bases]
            return any((base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "")) == "Protocol" for base in bases)
    return False


def body_kind(node: Any) -> str:
    """Return `empty` (pass, …, only a docstring), `not_implemented` or `real`."""
    body = list(node.body)
    if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant) and isinstance(body[0].value.value, str):
        body = body[1:]
    if len(body) == 1 and isinstance(body[0], ast.Raise) and body[0].exc is not None:
        raised = body[0].exc.func if isinstance(body[0].exc, ast.Call) else body[0].exc
        if getattr(raised, "id", "") == "NotImplementedError":
            return "not_implemented"
    empty = (ast.Pass,)
    rest = [one for one in body if not isinstance(one, empty) and not (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant))]
    return "real" if rest else "empty"


def _markers(ask: Dict[str, Any], tree: Tree, _look: Look) -> Observed:
    words = [str(word) for word in ask.get("words") or []]
    if not words:
        raise Undecided("the question names no marker")
    # A marker stands at the beginning of a comment; the same word within a sentence or a text is none.
    marker = re.compile(r"(?:#|//|/\*|<!--|--)\s*(%s)\b[:( ]?(.*)" % "|".join(map(re.escape, words)))
    critical: List[str] = []
    without: List[str] = []
    files = [path for path in tree.paths if path.endswith(_SUFFIXES)]
    for path in sorted(set(tree.containing(words)) & set(files)):
        for number, line in _comments(tree.read(path) or "", path):
            match = marker.search(line)
            if match is None:
                continue
            place = "%s:%d" % (path, number)
            if re.search(r"\bcritical\b", match.group(2), re.IGNORECASE):
                critical.append(place)
            if not re.search(r"#\d+|\b[A-Z]{2,}-\d+\b", match.group(2)):
                without.append(place)
    return Observed({"critical": critical, "without_issue": without, "files": len(files)}, opportunities=len(files))


def _comments(text: str, path: str) -> Iterator[Tuple[int, str]]:
    """Yield number and text of what may be a comment: Python's comments where Python can tell, else every line."""
    if path.endswith(".py"):
        try:
            for token in tokenize.generate_tokens(io.StringIO(text).readline):
                if token.type == tokenize.COMMENT:
                    yield token.start[0], token.string
            return
        except (tokenize.TokenError, SyntaxError):
            pass  # not Python after all: every line counts, some twice
    yield from enumerate(text.splitlines(), 1)


def _document(ask: Dict[str, Any], tree: Tree, look: Look) -> Dict[str, Any]:
    text = tree.read(str(ask.get("path")))
    if text is None:
        return {"present": False}
    named = set(_PLAYBOOK.findall(text))
    facts: Dict[str, Any] = {
        "present": True,
        "unnamed_playbooks": sorted(set(ask.get("playbooks") or []) - named),
        "missing_playbooks": sorted(path for path in named | set(ask.get("playbooks") or []) if path not in tree.paths),
    }
    match = _REVIEWED.search(text)
    if match is not None:
        try:
            reviewed = datetime.strptime(match.group(1), "%Y-%m-%d").replace(tzinfo=timezone.utc)
        except ValueError:
            raise Undecided("the date of the review, %s, is no date" % match.group(1)) from None
        age = (look.now() - reviewed).total_seconds() / 86400
        if age < -1:
            raise Undecided("the document says that it was reviewed in the future, on %s" % match.group(1))
        facts["reviewed_age_days"] = round(max(0.0, age), 1)
    return facts


def _lock(ask: Dict[str, Any], tree: Tree, _look: Look) -> Dict[str, Any]:
    path = str(ask.get("lock_file"))
    text = tree.read(path)
    if text is None:
        return {"lock_present": False}
    rows = _uv_lock(text) if path.endswith("uv.lock") else _requirements(text)
    return {"lock_present": True, "distributions": len(rows), "unhashed": sorted(name for name, hashed in rows if not hashed)}


def _requirements(text: str) -> List[Tuple[str, bool]]:
    """Return name and whether it is pinned with a hash, for each requirement of a requirements file."""
    rows = []
    for line in text.replace("\\\n", " ").splitlines():
        plain = line.split(" #")[0].strip()
        if not plain or plain.startswith("#") or (plain.startswith("--") and not plain.startswith("--hash")):
            continue
        rows.append((re.split(r"[\s=<>!~;\[@]", plain)[0], bool(re.search(r"--hash=sha256:[0-9a-f]{64}\b", plain)) and "==" in plain))
    return rows


def _uv_lock(text: str) -> List[Tuple[str, bool]]:
    rows = []
    for block in text.split("[[package]]")[1:]:
        name = re.search(r'^name = "([^"]+)"', block, re.MULTILINE)
        local = re.search(r"^source = \{ (editable|virtual|directory)", block, re.MULTILINE)
        if name is not None and local is None:
            files = re.findall(r"\{ url = [^}]*\}", block)
            rows.append((name.group(1), bool(files) and all('hash = "sha256:' in one for one in files)))
    return rows


def _paths(ask: Dict[str, Any], tree: Tree, _look: Look) -> Dict[str, Any]:
    known = set(tree.paths)
    folders = {"/".join(path.split("/")[:depth]) for path in known for depth in range(1, path.count("/") + 1)}
    return {"missing_paths": sorted(path for path in ask.get("paths") or [] if path.rstrip("/") not in known | folders)}
