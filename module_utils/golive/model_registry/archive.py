"""What would come out of an archive? Told by streaming it, counted and thrown away; nothing is ever unpacked to memory or a disk.

The index of a zip is not believed: each part is unpacked block by block and must have the size that the index names. An archive within an
archive is told, because its own bomb would not be counted.
"""
from __future__ import annotations

import struct
import tarfile
import zipfile
import zlib
from typing import Any, BinaryIO, Dict, List, Optional, Tuple

_INDEX_CAP = 16 << 20    # bytes of a zip's index: it is read into memory as a whole
_TAIL = 66_000           # a zip's end record lies within these last bytes
_BLOCK = 1 << 20
_STORED, _DEFLATED = 0, 8
_LOCAL_HEADER = 30
_ARCHIVES = ((b"PK\x03\x04", 0), (b"PK\x05\x06", 0), (b"\x1f\x8b", 0), (b"BZh", 0), (b"\xfd7zXZ\x00", 0), (b"\x28\xb5\x2f\xfd", 0),
             (b"7z\xbc\xaf\x27\x1c", 0), (b"ustar", 257))
_HEAD = 512
Findings = Dict[str, Any]


def zip_findings(handle: BinaryIO, size: int, most_entries: int, most_bytes: int) -> Findings:
    """Return `{entries, unpacked, unsafe: [names], broken}` of a zip; it is streamed, and left as soon as it is too much."""
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
    claimed = sum(one.file_size for one in entries)
    broken: Optional[str] = "its parts overlap" if overlap else None
    unpacked = 0
    for one in entries if not broken and claimed <= most_bytes and len(entries) <= most_entries else ():
        try:
            found, head, crc = _measured(handle, one, most_bytes - unpacked)
        except (zlib.error, OSError, ValueError, struct.error) as exc:
            broken = "%s cannot be unpacked: %s" % (one.filename[:80], str(exc)[:80])
            break
        unpacked += found
        if found != one.file_size:
            broken = "%s is not of the size that its index names" % one.filename[:80]
        elif crc != one.CRC:
            broken = "%s is damaged (CRC)" % one.filename[:80]
        elif _is_archive(head):
            broken = "%s is an archive in an archive" % one.filename[:80]
        if broken:
            break
    return {"entries": len(entries), "unpacked": max(claimed, unpacked), "unsafe": unsafe[:20], "broken": broken}


def _measured(handle: BinaryIO, one: zipfile.ZipInfo, most: int) -> Tuple[int, bytes, int]:
    """Return how many bytes come out of a part of a zip, the first of them, and their CRC; it is left when they are more than `most`."""
    if one.flag_bits & 1:
        raise ValueError("it is encrypted")
    if one.compress_type not in (_STORED, _DEFLATED):
        raise ValueError("its method %d is not one that can be measured" % one.compress_type)
    handle.seek(one.header_offset)
    header = handle.read(_LOCAL_HEADER)
    handle.seek(one.header_offset + _LOCAL_HEADER + sum(struct.unpack("<HH", header[26:30])))
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    left, found, head, crc = one.compress_size, 0, b"", 0
    while left > 0 and found <= most:
        block = handle.read(min(_BLOCK, left))
        if not block:
            raise ValueError("it ends too early")
        left -= len(block)
        while block and found <= most:
            out = block if one.compress_type == _STORED else unpacker.decompress(block, _BLOCK)
            block = b"" if one.compress_type == _STORED else unpacker.unconsumed_tail
            found, crc = found + len(out), zlib.crc32(out, crc)
            head = head or out[:_HEAD]
    if one.compress_type == _DEFLATED and found <= most:
        rest = unpacker.flush()
        found, crc = found + len(rest), zlib.crc32(rest, crc)
        if not unpacker.eof:
            raise ValueError("it ends too early")
    return found, head, crc


def _is_archive(head: bytes) -> bool:
    return any(head[at:at + len(magic)] == magic for magic, at in _ARCHIVES)


def tar_findings(handle: BinaryIO, most_entries: int, most_bytes: int) -> Findings:
    """Return the same of a tar, compressed or not; it is streamed, and left as soon as it is too much."""
    entries = unpacked = 0
    unsafe: List[str] = []
    nested: Optional[str] = None
    handle.seek(0)
    try:
        with tarfile.open(fileobj=handle, mode="r|*") as archive:
            for member in archive:
                entries, unpacked = entries + 1, unpacked + member.size
                if _escapes(member.name) or not (member.isfile() or member.isdir()):
                    unsafe.append(member.name[:80])
                if entries > most_entries or unpacked > most_bytes:
                    break
                inner = archive.extractfile(member) if member.isfile() else None
                if inner is not None and _is_archive(inner.read(_HEAD)):
                    nested = "%s is an archive in an archive" % member.name[:80]
                    break
    except (tarfile.TarError, EOFError, OSError, zlib.error, ValueError) as exc:
        return dict(_broken(type(exc).__name__), entries=entries, unpacked=unpacked, unsafe=unsafe[:20])
    return {"entries": entries, "unpacked": unpacked, "unsafe": unsafe[:20], "broken": nested}


def _escapes(name: str) -> bool:
    return name.startswith(("/", "\\")) or ".." in name.replace("\\", "/").split("/") or ":" in name[:3] or "\0" in name


def _broken(why: str) -> Findings:
    return {"entries": 0, "unpacked": 0, "unsafe": [], "broken": why}
