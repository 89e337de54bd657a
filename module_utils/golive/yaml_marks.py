"""Plain safe YAML that remembers on which line each key stands, so that an error can say file and line."""
from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from .errors import CompileError


class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # libyaml reads a catalogue ten times as fast
    """Safe YAML whose only booleans are true and false: the key `on` of a control is a word, as in YAML 1.2."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"true|false"), list("tf"))


@dataclass(frozen=True)
class Document:
    """A parsed YAML file: `data` as plain values, `line(path)` for a path of keys and indexes."""

    file: str
    data: Any
    lines: dict[tuple[str | int, ...], int]

    def where(self, *path: str | int) -> str:
        """Return `file:line` of the nearest known place on this path."""
        for end in range(len(path), -1, -1):
            if path[:end] in self.lines:
                return f"{self.file}:{self.lines[path[:end]]}"
        return self.file


def load(path: Path, shown_as: str | None = None) -> Document:
    """Parse one YAML file. Raises CompileError for bad YAML, a key that stands twice, and an unreadable file."""
    name = shown_as or str(path)
    try:
        text = path.read_text("utf-8")
        loader = Loader(text)
        node = loader.get_single_node()
    except OSError as exc:
        raise CompileError("cannot be read", where=name, found=exc.strerror) from None
    except UnicodeDecodeError:
        raise CompileError("is not UTF-8 text", where=name) from None
    except yaml.YAMLError as exc:
        mark = getattr(exc, "problem_mark", None)
        where = f"{name}:{mark.line + 1}" if mark else name
        raise CompileError("is not YAML", where=where, found=getattr(exc, "problem", None) or str(exc)) from None
    if node is None:
        return Document(name, None, {})
    lines: dict[tuple[str | int, ...], int] = {}
    _walk(node, (), lines, name)
    return Document(name, loader.construct_document(node), lines)


def _walk(node: yaml.Node, path: tuple[str | int, ...], lines: dict[tuple[str | int, ...], int], name: str) -> None:
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*path, str(key.value))
            if here in lines:
                raise CompileError(f"{key.value} stands twice", where=f"{name}:{key.start_mark.line + 1}",
                                   found=f"first on line {lines[here]}", todo="keep one of them")
            lines[here] = key.start_mark.line + 1
            _walk(value, here, lines, name)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _walk(value, (*path, index), lines, name)
