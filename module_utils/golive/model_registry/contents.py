"""What is in a file of a model? Told from its bytes, never from its name, and never by loading it."""
from __future__ import annotations

import json
import re
from typing import Any, BinaryIO, Dict, Optional

from . import archive, onnx_file

_HEAD = 4096
_SAFETENSORS_CAP = 16 << 20
UNSAFE = ("pickle",)
_MAGIC = ((b"\x80\x02", "pickle"), (b"\x80\x03", "pickle"), (b"\x80\x04", "pickle"), (b"\x80\x05", "pickle"), (b"PK\x03\x04", "zip"),
          (b"PK\x05\x06", "zip"), (b"\x1f\x8b", "gzip"), (b"BZh", "bzip2"), (b"\xfd7zXZ\x00", "xz"), (b"\x28\xb5\x2f\xfd", "zstd"),
          (b"7z\xbc\xaf\x27\x1c", "7z"), (b"\x7fELF", "program"), (b"MZ", "program"), (b"#!", "program"), (b"\x89HDF\r\n\x1a\n", "hdf5"))


def look(handle: BinaryIO, size: int, declared: str, most_entries: int, most_bytes: int) -> Dict[str, Any]:
    """Return `{kind, problem, archive}`: what the bytes are, why they are not what is declared, and what an archive holds.

    `kind` is one of onnx safetensors json text pickle zip tar gzip bzip2 xz zstd 7z program hdf5 binary.
    """
    handle.seek(0)
    head = handle.read(_HEAD)
    kind = _kind(head)
    found: Dict[str, Any] = {"kind": kind, "problem": None, "archive": None}
    if kind == "zip":
        found["archive"] = archive.zip_findings(handle, size, most_entries, most_bytes)
        if _holds_pickle(handle):
            found["kind"] = "pickle"
    elif kind in ("tar", "gzip", "bzip2", "xz"):
        found["archive"] = archive.tar_findings(handle, most_entries, most_bytes)
    elif kind in ("binary", "text") and declared == "onnx":     # a small model may look like text
        try:
            onnx_file.check(handle, size)
            found["kind"] = "onnx"
        except onnx_file.NotOnnx as exc:
            found["problem"] = str(exc)
    elif kind in ("binary", "text") and declared == "safetensors":
        found["problem"] = _not_safetensors(handle, head, size)
        found["kind"] = kind if found["problem"] else "safetensors"
    return found


def _kind(head: bytes) -> str:
    known = next((kind for magic, kind in _MAGIC if head.startswith(magic)), None)
    if known is not None or head[257:262] == b"ustar":
        return known or "tar"
    if head.startswith(b"\x93NUMPY"):
        return "pickle" if b"'O'" in head[:256] or b"|O" in head[:256] else "binary"
    if _text_pickle(head):
        return "pickle"
    if not _is_text(head):
        return "binary"
    return "json" if head.lstrip()[:1] in (b"{", b"[") else "text"


def _is_text(head: bytes) -> bool:
    """The last bytes may be the first half of a character."""
    if b"\0" in head or not head:
        return False
    try:
        head[:-4].decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _text_pickle(head: bytes) -> bool:
    """Protocols 0 and 1 have no mark at their start: an opcode GLOBAL (`cmodule\\nname\\n`) near it gives them away."""
    return re.search(rb"\A[(c\]}][^\n]{0,200}?(?:\n[^\n]{0,200}){0,3}?c?[A-Za-z_][\w.]*\n[A-Za-z_]\w*\n", head[:512]) is not None and (
        re.search(rb"(?:\A|[(\n])c[A-Za-z_][\w.]*\n[A-Za-z_]\w*\n", head[:512]) is not None)


def _holds_pickle(handle: BinaryIO) -> bool:
    import zipfile  # noqa: PLC0415

    handle.seek(0)
    try:
        with zipfile.ZipFile(handle) as opened:
            return any(name.endswith((".pkl", ".pickle", ".joblib")) for name in opened.namelist()[:10_000])
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return False   # the findings say that it is broken


def _not_safetensors(handle: BinaryIO, head: bytes, size: int) -> Optional[str]:
    """Source of the form: github.com/huggingface/safetensors, README, "Format"."""
    length = int.from_bytes(head[:8], "little")
    if not 2 <= length <= min(size - 8, _SAFETENSORS_CAP):
        return "is not a safetensors file"
    handle.seek(8)
    try:
        index = json.loads(handle.read(length).decode("utf-8"))
        ends = [one["data_offsets"][1] for name, one in index.items() if name != "__metadata__"]
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError):
        return "is not a safetensors file"
    return None if ends and max(ends) == size - 8 - length else "does not hold the tensors that its index names"
