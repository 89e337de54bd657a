"""python -m golive.leaks: search places for secrets. The secrets come on standard input, as JSON {name: value}, or as a dumped index.

    python -m golive.leaks [--journal] [--processes] [--image NAME]… [--container NAME]… [PATH…]

Exit 0 nothing found, 2 something found, 3 nothing found but not everything could be read, 1 the question was wrong.
"""
from __future__ import annotations

import argparse
import json
import sys
from typing import List, Optional

from .index import Index, is_index
from .places import Search


def main(arguments: Optional[List[str]] = None) -> int:
    """Search and print the places, never a secret."""
    parser = argparse.ArgumentParser(prog="python -m golive.leaks", description="Search for secrets that are given on standard input")
    parser.add_argument("paths", nargs="*", metavar="PATH", help="files and folders; archives and git repositories in them are opened")
    parser.add_argument("--journal", action="store_true", help="this host's journal")
    parser.add_argument("--processes", action="store_true", help="arguments and environment of processes")
    parser.add_argument("--image", action="append", default=[], metavar="NAME", help="a container image")
    parser.add_argument("--container", action="append", default=[], metavar="NAME", help="a container")
    chosen = parser.parse_args(arguments)
    try:
        search = Search(_index(sys.stdin.read()))
    except ValueError as exc:
        print("the secrets on standard input cannot be used: %s" % exc, file=sys.stderr)
        return 1
    if not (chosen.paths or chosen.journal or chosen.processes or chosen.image or chosen.container):
        print("there is no place to search", file=sys.stderr)
        return 1
    for path in chosen.paths:
        search.tree(path)
    for done, places in ((search.image, chosen.image), (search.container, chosen.container)):
        for name in places:
            done(name)
    if chosen.journal:
        search.journal()
    if chosen.processes:
        search.processes()
    for line in [*map(str, search.found), *("not read: " + one for one in search.unread)]:
        print(line)
    print("%d places searched, %d bytes: %d found, %d not read" % (search.things, search.bytes, len(search.found), len(search.unread)))
    return 2 if search.found else 3 if search.unread else 0


def _index(text: str) -> Index:
    if is_index(text):
        return Index.load(text)
    try:
        value = json.loads(text)
    except ValueError:
        raise ValueError("expected a JSON object of names and values, or an index") from None
    if not isinstance(value, dict) or not value or not all(isinstance(one, str) for one in value.values()):
        raise ValueError("expected a JSON object of names and texts")
    return Index.build(value)


if __name__ == "__main__":
    sys.exit(main())
