"""What a candidate is: the list of its files by digest, and what its trainer declares about it. The digest of the list names it."""
from __future__ import annotations

import re
from datetime import datetime
from typing import Any, Dict, List, Mapping, NamedTuple, Sequence, Tuple

from .. import canonical
from ..errors import GoliveError
from . import names
from .errors import RegistryError

_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?\Z")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
DTYPES = ("float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool", "string")
_DECLARED = {"format", "name", "model", "schema", "training"}
_OPTIONAL = {"feature_shares", "claims"}
DECLARATION_CAP = 1 << 20


class File(NamedTuple):
    """One file of a candidate: relative path, bytes, `sha256:<hex>`."""

    path: str
    size: int
    sha256: str


class Declaration(NamedTuple):
    """What the trainer says. `training` holds UTC times, the digest of the dataset and the commit of the code."""

    name: str
    format: str
    files: Tuple[str, ...]
    schema: Mapping[str, Any]
    training: Mapping[str, Any]
    feature_shares: Mapping[str, Any]
    claims: Mapping[str, Any]

    def trained_until(self) -> datetime:
        """Return the end of the training period."""
        return canonical.parse_utc(self.training["until"])


def encode(files: Sequence[File]) -> bytes:
    """Return the manifest of a candidate; its sha256 is the candidate's name."""
    return canonical.encode({"format": 1, "files": [one._asdict() for one in sorted(files)]})


def parse(data: bytes, digest: str) -> List[File]:
    """Return the files of a manifest after comparing it with the digest that names it. Raises RegistryError."""
    if canonical.digest(data) != names.PREFIX + names.folder(digest):
        raise RegistryError("the manifest is not the one that its name says", code="changed", where=names.short(digest),
                            found=canonical.digest(data)[:19], todo="somebody changed it: do not use this model, compare with a copy")
    content = unique(data, names.MANIFEST)
    files = content.get("files")
    if set(content) != {"format", "files"} or content["format"] != 1 or not isinstance(files, list) or not files:
        raise RegistryError("the manifest does not have its form", code="changed", where=names.short(digest))
    found = []
    for one in files:
        if not isinstance(one, dict) or set(one) != {"path", "size", "sha256"} or not names.is_file(str(one["path"])):
            raise RegistryError("the manifest lists something that is no file of a model", code="changed", where=names.short(digest))
        if type(one["size"]) is not int or one["size"] < 0 or _DIGEST.match(str(one["sha256"])) is None:
            raise RegistryError("the manifest lists a size or digest of a wrong form", code="changed", where=names.short(digest))
        found.append(File(one["path"], one["size"], one["sha256"]))
    return found


def unique(data: bytes, where: str) -> Dict[str, Any]:
    """Return a JSON object in which each key stands once and every number is finite. Raises RegistryError for all else."""
    import json  # noqa: PLC0415 (kept beside its hooks)

    def pairs(items: List[Tuple[str, Any]]) -> Dict[str, Any]:
        found = dict(items)
        if len(found) != len(items):
            raise ValueError("a key stands twice")
        return found

    def constant(text: str) -> Any:
        raise ValueError("%s is not a number of JSON" % text)

    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=pairs, parse_constant=constant)
    except (ValueError, RecursionError) as exc:
        raise RegistryError("is not a JSON object with each key once", code="usage", where=where, found=str(exc)[:120]) from None
    if not isinstance(value, dict):
        raise RegistryError("is not a JSON object", code="usage", where=where)
    return value


def declaration(data: bytes, where: str = names.DECLARATION) -> Declaration:
    """Return what a trainer declares. Raises RegistryError that names the field, what was found and what is expected."""
    if len(data) > DECLARATION_CAP:
        raise RegistryError("is larger than a declaration may be", code="usage", where=where, found=len(data), expected=DECLARATION_CAP)
    found = unique(data, where)
    missing, surplus = sorted(_DECLARED - set(found)), sorted(set(found) - _DECLARED - _OPTIONAL)
    if missing or surplus:
        raise RegistryError("does not have the fields of a declaration", code="usage", where=where,
                            found=("without " + ", ".join(missing) if missing else "with " + ", ".join(surplus)),
                            expected=", ".join(sorted(_DECLARED)) + "; optional: " + ", ".join(sorted(_OPTIONAL)))
    model = _object(found["model"], {"format", "files"}, "%s: model" % where)
    files = model["files"]
    if not isinstance(files, list) or not files or not all(isinstance(one, str) and names.is_file(one) for one in files):
        raise RegistryError("model.files is not a list of relative paths", code="usage", where=where, found=repr(files)[:80])
    if found["format"] != 1 or _WORD.match(str(found["name"])) is None or _WORD.match(str(model["format"])) is None:
        raise RegistryError("format, name or model.format is of a wrong form", code="usage", where=where)
    _training(found["training"], "%s: training" % where)
    features(found["schema"], "%s: schema" % where)
    return Declaration(str(found["name"]), str(model["format"]), tuple(files), found["schema"], found["training"],
                       found.get("feature_shares") or {}, found.get("claims") or {})


def features(schema: Any, where: str) -> List[Dict[str, Any]]:
    """Return the features of a schema in their order, after checking names, dtypes and ranges. Raises RegistryError."""
    _object(schema, {"features", "outputs"}, where)
    for part in ("features", "outputs"):
        if not isinstance(schema[part], list) or not schema[part]:
            raise RegistryError("%s is not a list" % part, code="usage", where=where)
        seen = set()
        for one in schema[part]:
            _object(one, {"name", "dtype"} | ({"min", "max"} if part == "features" else set()), "%s.%s" % (where, part))
            if not isinstance(one["name"], str) or one["name"] in seen or one["dtype"] not in DTYPES:
                raise RegistryError("%s names something twice or with an unknown dtype" % part, code="usage", where=where,
                                    found="%s %s" % (one["name"], one["dtype"]), expected="dtype one of " + " ".join(DTYPES))
            seen.add(one["name"])
            if part == "features" and not (_number(one["min"]) and _number(one["max"]) and one["min"] <= one["max"]):
                raise RegistryError("the range of %s is not two finite numbers in order" % one["name"], code="usage", where=where)
    return list(schema["features"])


def _training(value: Any, where: str) -> None:
    _object(value, {"from", "until", "dataset", "code_commit", "started", "ended"}, where)
    try:
        times = [canonical.parse_utc(value[name]) for name in ("from", "until", "started", "ended")]
    except GoliveError as exc:
        raise RegistryError(str(exc), code="usage", where=where) from None
    if not (times[0] < times[1] <= times[3] and times[2] <= times[3]):
        raise RegistryError("the times are not in order", code="usage", where=where, expected="from < until <= ended, started <= ended")
    if _DIGEST.match(str(value["dataset"])) is None or _COMMIT.match(str(value["code_commit"])) is None:
        raise RegistryError("the lineage is not named by digests", code="usage", where=where,
                            expected="dataset sha256:<64 hex digits> and code_commit of 40 hex digits")


def _object(value: Any, keys: Any, where: str) -> Dict[str, Any]:
    if not isinstance(value, dict) or set(value) != set(keys):
        raise RegistryError("does not have its form", code="usage", where=where,
                            found=", ".join(sorted(map(str, value))) if isinstance(value, dict) else type(value).__name__,
                            expected=", ".join(sorted(keys)))
    return value


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < float("inf")
