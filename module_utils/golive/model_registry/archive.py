"""What would come out of an archive? Told from its index or by streaming it, nothing is ever unpacked to a disk."""
from __future__ import annotations

import struct
import tarfile
import zipfile
import zlib
from typing import Any, BinaryIO, Dict, List

_INDEX_CAP = 16 << 20    # bytes of a zip's index: it is read into memory as a whole
_TAIL = 66_000           # a zip's end record lies within these last bytes
Findings = Dict[str, Any]


def zip_findings(handle: BinaryIO, size: int, most_entries: int) -> Findings:
    """Return `{entries, unpacked, unsafe: [names], broken}` of a zip. Sizes are what its index claims; the ratio judges them."""
    try:
        handle.seek(max(0, size - _TAIL))
        tail = handle.read(_TAIL)
        end = tail.rfind(b"PK\x05\x06")
        if end < 0 or len(tail) - end < 22 or struct.unpack("<I", tail[end + 12:end + 16])[0] > _INDEX_CAP:
            return _broken("has no index that can be read")
        handle.seek(0)
        with zipfile.ZipFile(handle) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, struct.error) as exc:
        return _broken(type(exc).__name__)
    unsafe = [one.filename[:80] for one in entries[:most_entries + 1]
              if _escapes(one.filename) or (one.external_attr >> 16) & 0o170000 == 0o120000]
    packed = [(one.header_offset, one.header_offset + one.compress_size) for one in entries]
    overlap = any(later[0] < earlier[1] for earlier, later in zip(sorted(packed), sorted(packed)[1:]))
    return {"entries": len(entries), "unpacked": sum(one.file_size for one in entries), "unsafe": unsafe[:20],
            "broken": "its parts overlap" if overlap else None}


def tar_findings(handle: BinaryIO, most_entries: int, most_bytes: int) -> Findings:
    """Return the same of a tar, compressed or not; it is streamed, and left as soon as it is too much."""
    entries = unpacked = 0
    unsafe: List[str] = []
    handle.seek(0)
    try:
        with tarfile.open(fileobj=handle, mode="r|*") as archive:
            for member in archive:
                entries, unpacked = entries + 1, unpacked + member.size
                if _escapes(member.name) or not (member.isfile() or member.isdir()):
                    unsafe.append(member.name[:80])
                if entries > most_entries or unpacked > most_bytes:
                    break
    except (tarfile.TarError, EOFError, OSError, zlib.error, ValueError) as exc:
        return dict(_broken(type(exc).__name__), entries=entries, unpacked=unpacked, unsafe=unsafe[:20])
    return {"entries": entries, "unpacked": unpacked, "unsafe": unsafe[:20], "broken": None}


def _escapes(name: str) -> bool:
    return name.startswith(("/", "\\")) or ".." in name.replace("\\", "/").split("/") or ":" in name[:3] or "\0" in name


def _broken(why: str) -> Findings:
    return {"entries": 0, "unpacked": 0, "unsafe": [], "broken": why}
