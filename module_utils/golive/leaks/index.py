"""Does a text hold a secret, when the searcher knows only keyed hashes of it?

An index holds, for windows of each spelling, a keyed BLAKE2b (RFC 7693); a text is searched by hashing its own windows with the same key.
So that not every byte costs a hash, windows begin only where two bytes follow each other that the index names (its anchors, chosen so that
each spelling has one, in both halves if it is a random token). The index gives away those few bytes and lets a weak secret be guessed, like
any password hash: it lies in memory or in a private file, never in the repository.
"""
from __future__ import annotations

import hashlib
import json
import os
import re
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Optional, Set, Tuple

from .spellings import Spelling, parts, spellings

WINDOWS = (16, 12, 8, 6)
_MAC = 16


class Hit(NamedTuple):
    """`secret` is the name under which it was indexed, `whole` is false for a piece of a random token."""

    secret: str
    form: str
    at: int
    whole: bool


class _Entry(NamedTuple):
    secret: int
    form: str
    offset: int     # of the window in the spelling
    length: int     # of the spelling
    mac: bytes      # of the whole spelling
    piece: bool     # the window alone is a leak


class _Group(NamedTuple):
    window: int
    first: bytes
    second: bytes
    pattern: re.Pattern[bytes]
    table: Dict[bytes, List[_Entry]]


class Index:
    """Searches bytes. `longest` is how many bytes around a window a caller has to keep together."""

    def __init__(self, key: bytes, names: List[str], groups: List[_Group]) -> None:
        self._key, self.names, self._groups = key, names, groups
        self.longest = max((one.length for group in groups for entries in group.table.values() for one in entries), default=1)

    @classmethod
    def build(cls, secrets: Mapping[str, str], key: Optional[bytes] = None) -> Index:
        """Return the index of these secrets, by name. Raises ValueError for one that is too short to be searched."""
        key = key or os.urandom(32)
        names = sorted(secrets)
        wanted: Dict[int, List[Tuple[int, Spelling]]] = {}
        for number, name in enumerate(names):
            for part in parts(secrets[name]):
                for one in spellings(part):
                    window = next(size for size in WINDOWS if size <= len(one.text))
                    wanted.setdefault(window, []).append((number, one))
        return cls(key, names, [_group(key, window, found) for window, found in sorted(wanted.items(), reverse=True)])

    def search(self, text: bytes, start: int = 0, end: Optional[int] = None) -> Iterator[Hit]:
        """Yield what is found in windows that begin within [start, end); the same spelling at the same place once."""
        seen: Set[Tuple[int, str, int]] = set()
        stop = len(text) if end is None else end
        for group in self._groups:
            size, table, key = group.window, group.table, self._key
            for found in group.pattern.finditer(text, start):
                at = found.start()
                if at >= stop:
                    break
                for entry in table.get(hashlib.blake2b(text[at : at + size], key=key, digest_size=8).digest(), ()):
                    begin = at - entry.offset
                    whole = begin >= 0 and _mac(key, text[begin : begin + entry.length]) == entry.mac
                    place = (entry.secret, entry.form, begin)
                    if (whole or entry.piece) and place not in seen:
                        seen.add(place)
                        yield Hit(self.names[entry.secret], entry.form, max(begin, 0) if whole else at, whole)

    def dump(self) -> str:
        """Return the index as JSON: what is sent to a host that searches."""
        groups = [{"window": group.window, "first": group.first.hex(), "second": group.second.hex(),
                   "table": [[window.hex(), *one[:4], one.mac.hex(), one.piece] for window, all_ in group.table.items() for one in all_]}
                  for group in self._groups]  # fmt: skip
        return json.dumps({"leaks": 1, "key": self._key.hex(), "names": self.names, "groups": groups}, separators=(",", ":"))

    @classmethod
    def load(cls, text: str) -> Index:
        """Return a dumped index. Raises ValueError when it is none; the text is not repeated in it."""
        try:
            value: Dict[str, Any] = json.loads(text)
            if value.pop("leaks") != 1:
                raise KeyError("leaks")
            groups = []
            for one in value["groups"]:
                first, second = bytes.fromhex(one["first"]), bytes.fromhex(one["second"])
                table: Dict[bytes, List[_Entry]] = {}
                for window, secret, form, offset, length, mac, piece in one["table"]:
                    entry = _Entry(int(secret), str(form), int(offset), int(length), bytes.fromhex(mac), bool(piece))
                    table.setdefault(bytes.fromhex(window), []).append(entry)
                groups.append(_Group(int(one["window"]), first, second, _pattern(first, second), table))
            return cls(bytes.fromhex(value["key"]), [str(name) for name in value["names"]], groups)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise ValueError("not an index of secrets") from None


def is_index(text: str) -> bool:
    """Return whether a text is a dumped index (and not a secret)."""
    return text.startswith('{"leaks":1,')


def _mac(key: bytes, text: bytes) -> bytes:
    return hashlib.blake2b(text, key=key, digest_size=_MAC).digest()


def _pattern(first: bytes, second: bytes) -> re.Pattern[bytes]:
    return re.compile(b"[%s](?=[%s])" % tuple(b"".join(b"\\x%02x" % one for one in chosen) for chosen in (first, second)))


def _group(key: bytes, window: int, wanted: List[Tuple[int, Spelling]]) -> _Group:
    first, second = _anchors(key, window, wanted)
    table: Dict[bytes, List[_Entry]] = {}
    for number, one in wanted:
        piece = one.opaque and window == WINDOWS[0]
        places = [at for at in range(len(one.text) - window + 1) if one.text[at] in first and one.text[at + 1] in second]
        whole = _mac(key, one.text)
        for at in places if piece else places[:1]:
            digest = hashlib.blake2b(one.text[at : at + window], key=key, digest_size=8).digest()
            table.setdefault(digest, []).append(_Entry(number, one.form, at, len(one.text), whole, piece))
    return _Group(window, first, second, _pattern(first, second), table)


def _anchors(key: bytes, window: int, wanted: List[Tuple[int, Spelling]]) -> Tuple[bytes, bytes]:
    """Return byte sets so that each spelling has an anchored window: a small cover, rare bytes of ordinary text first."""
    open_ranges: List[Set[Tuple[int, int]]] = []
    for _, one in wanted:
        last = len(one.text) - window + 1
        half = len(one.text) // 2
        halves = [(0, half - window + 1), (half, last)] if one.opaque and half >= window else [(0, last)]
        open_ranges += [{(one.text[at], one.text[at + 1]) for at in range(start, min(stop, start + 64))} for start, stop in halves]
    first: Set[int] = set()
    second: Set[int] = set()

    def rank(pair: Tuple[int, int]) -> Tuple[float, bytes]:
        new = (0 if pair[0] in first else 2 + _common(pair[0])) + (0 if pair[1] in second else 1 + _common(pair[1]))
        return -serves[pair] / (1 + new), hashlib.blake2b(bytes(pair), key=key, digest_size=8).digest()

    while open_ranges:
        serves: Dict[Tuple[int, int], int] = {}
        for pairs in open_ranges:
            for pair in pairs:
                serves[pair] = serves.get(pair, 0) + 1
        chosen = min(serves, key=rank)
        first.add(chosen[0])
        second.add(chosen[1])
        open_ranges = [pairs for pairs in open_ranges if not any(a in first and b in second for a, b in pairs)]
    return bytes(sorted(first)), bytes(sorted(second))


def _common(byte: int) -> int:
    """Return how common a byte is in logs, JSON and sources: such an anchor costs a hash at every step."""
    if byte in b" \n\t,\"':{}=-_./0123456789":
        return 6
    return 4 if 97 <= byte <= 122 else 0
