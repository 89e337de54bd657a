"""What a trainer hands in is trusted in nothing: links, odd names, bombs, pickles under other names, models that read other files."""
from __future__ import annotations

import gzip
import io
import os
import pickle
import struct
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
from golive.model_registry import contents, names
from golive.model_registry.errors import RegistryError
from hypothesis import given
from hypothesis import strategies as st

from tests.fixtures import models as m


def kind(data: bytes, declared: str = "onnx") -> str:
    return str(contents.look(io.BytesIO(data), len(data), declared, 1000, 1 << 20)["kind"])


def zipped(*entries: tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    return out.getvalue()


def tarred(mode: str, *entries: tuple[str, bytes], link: str | None = None) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:  # type: ignore[call-overload]
        for name, data in entries:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        if link:
            info = tarfile.TarInfo("l")
            info.type, info.linkname = tarfile.SYMTYPE, link
            archive.addfile(info)
    return out.getvalue()


class Evil:
    """If anything ever loads it, it says so."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("/tmp/golive-a-pickle-was-loaded",)


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_is_known_under_every_name_and_protocol_and_never_loaded(protocol: int, world: m.World) -> None:
    data = pickle.dumps(Evil(), protocol)
    assert kind(data) == "pickle"
    source = m.candidate(world.place / "evil", files={"model.onnx": data})
    digest = world.must("register", source=str(source))["facts"]["candidate"]
    judged = world.do("validate", candidate=digest, evidence=str(m.evidence(world.place / "e", digest)))
    assert judged["facts"]["gates"]["INTEGRITY"] == "fail"
    assert "runs code" in judged["msg"]
    assert not Path("/tmp/golive-a-pickle-was-loaded").exists()


def test_other_contents_are_told_apart() -> None:
    assert kind(m.onnx_bytes()) == "onnx"
    assert kind(zipped(("a", b"x"))) == "zip"
    assert kind(zipped(("archive/data.pkl", b"x"))) == "pickle"
    assert kind(b"\x7fELF" + b"\0" * 20) == "program"
    assert kind(b"#!/bin/sh\n") == "program"
    assert kind(b'{"a": 1}') == "json"
    assert kind(b"\x89HDF\r\n\x1a\n" + b"\0" * 9) == "hdf5"
    assert kind(b"\x93NUMPY\x01\x00v\x00{'descr': '|O', }") == "pickle"
    index = b'{"w":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}'
    whole = len(index).to_bytes(8, "little") + index + b"abcd"
    assert kind(whole, "safetensors") == "safetensors"
    assert kind(whole + b"e", "safetensors") == "binary"


def test_a_model_that_takes_tensors_from_another_file_is_no_onnx_for_us() -> None:
    outside = m.field(13, m.field(1, b"location") + m.field(2, b"../../etc/passwd")) + m.field(14, 1)
    found = contents.look(io.BytesIO(data := m.onnx_bytes(tensor=outside)), len(data), "onnx", 10, 10)
    assert "outside of its file" in str(found["problem"])
    nested = m.field(5, m.field(1, b"x") + m.field(8, b"w") + outside)      # as an attribute of a node, and in a subgraph
    for graph in (m.field(1, m.field(5, nested)), m.field(1, m.field(5, m.field(6, m.field(5, m.field(8, b"w") + outside))))):
        data = m.field(1, 8) + m.field(7, graph) + m.field(8, m.field(2, 17))
        assert "outside" in str(contents.look(io.BytesIO(data), len(data), "onnx", 10, 10)["problem"])


@given(st.binary(max_size=400))
def test_no_bytes_break_the_looking(data: bytes) -> None:
    for declared in ("onnx", "safetensors", "zip"):
        found = contents.look(io.BytesIO(data), len(data), declared, 10, 1000)
        assert found["kind"] != "onnx" or declared == "onnx"


@pytest.mark.parametrize("data", [tarred("w", ("../x", b"1")), tarred("w:gz", ("/etc/x", b"1")), tarred("w:xz", link="/etc/passwd"),
                                  zipped(("../../x", b"1")), zipped(("/x", b"1")), zipped(("..\\x", b"1"))])
def test_an_archive_that_would_leave_its_folder_is_seen(data: bytes) -> None:
    assert contents.look(io.BytesIO(data), len(data), "zip", 100, 1 << 20)["archive"]["unsafe"]


def test_a_bomb_is_measured_and_not_unpacked() -> None:
    packed = zipped(("a", b"\0" * (64 << 20)))
    assert len(packed) < 1 << 17
    assert contents.look(io.BytesIO(packed), len(packed), "zip", 100, 1 << 20)["archive"]["unpacked"] == 64 << 20
    streamed = tarred("w:gz", *((f"f{n}", b"\0" * (1 << 20)) for n in range(12)))
    found = contents.look(io.BytesIO(streamed), len(streamed), "tar", 100, 4 << 20)["archive"]
    assert 4 << 20 < found["unpacked"] <= 6 << 20      # left as soon as it was too much
    assert contents.look(io.BytesIO(streamed), len(streamed), "tar", 3, 1 << 40)["archive"]["entries"] == 4


def archive_of(data: bytes, kind: str = "zip", most: int = 1 << 20) -> dict[str, Any]:
    return dict(contents.look(io.BytesIO(data), len(data), kind, 100, most)["archive"])


def lying(data: bytes, claimed: int) -> bytes:
    """Return a zip of one part whose headers claim another size than comes out of it."""
    size = struct.pack("<I", zipfile.ZipFile(io.BytesIO(data)).infolist()[0].file_size)
    at, index = 22, data.index(b"PK\x01\x02") + 24
    assert data[at:at + 4] == data[index:index + 4] == size
    return data[:at] + struct.pack("<I", claimed) + data[at + 4:index] + struct.pack("<I", claimed) + data[index + 4:]


def test_an_index_that_claims_little_hides_no_bomb() -> None:
    bomb = zipped(("weights", b"\0" * (8 << 20)))
    found = archive_of(lying(bomb, 100))
    assert "not of the size that its index names" in found["broken"]
    assert 1 << 20 < found["unpacked"] <= 2 << 20      # left as soon as it was too much
    assert archive_of(lying(bomb, 8 << 20), most=16 << 20)["broken"] is None, "the control: with its true size it is none"


@pytest.mark.parametrize("data", [zipped(("a", b"x"), ("inner.zip", zipped(("b", b"\0" * 1000)))),
                                  zipped(("a.gz", gzip.compress(b"\0" * 1000))),
                                  tarred("w:gz", ("inner", gzip.compress(b"\0" * 1000))), tarred("w", ("t", tarred("w", ("x", b"1"))))])
def test_an_archive_in_an_archive_is_told(data: bytes) -> None:
    assert "is an archive in an archive" in archive_of(data)["broken"]


def test_what_cannot_be_measured_is_broken() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a", b"\0" * 1000)
    assert "its method 14 is not one" in archive_of(out.getvalue())["broken"]
    good = zipped(("a", os.urandom(1000)))
    assert archive_of(good) == {"entries": 1, "unpacked": 1000, "unsafe": [], "broken": None}
    damaged = good[:40] + b"\xff" * 20 + good[60:]
    assert archive_of(damaged)["broken"]
    index = good.index(b"PK\x01\x02") + 20      # one byte less is packed: all comes out of it, and its end is missing
    cut = good[:index] + struct.pack("<I", struct.unpack("<I", good[index:index + 4])[0] - 1) + good[index + 4:]
    assert "ends too early" in archive_of(cut)["broken"]
    encrypted = bytearray(good)
    encrypted[good.index(b"PK\x01\x02") + 8] |= 1
    assert "encrypted" in archive_of(bytes(encrypted))["broken"]


def test_a_bomb_of_any_make_is_refused_by_the_gate(world: m.World) -> None:
    """As a person meets it: the candidate is kept as what it is, and never promoted."""
    profile = {**m.PROFILE, "formats": ["zip"]}
    verdicts = {}
    for name, data in (("small", zipped(("w", os.urandom(5000)))), ("bomb", zipped(("w", b"\0" * (64 << 20)))),
                       ("lying", lying(zipped(("w", b"\0" * (8 << 20))), 100)), ("nested", zipped(("w", zipped(("x", b"1")))))):
        source = m.candidate(world.place / name, files={"model.onnx": data}, model={"format": "zip", "files": ["model.onnx"]})
        digest = world.must("register", source=str(source), profile=profile)["facts"]["candidate"]
        judged = world.do("validate", candidate=digest, profile=profile, evidence=str(m.evidence(world.place / f"e-{name}", digest)))
        verdicts[name] = judged["facts"]["gates"]["INTEGRITY"]
    assert verdicts == {"small": "pass", "bomb": "fail", "lying": "fail", "nested": "fail"}


def refused(world: m.World, source: Path) -> RegistryError | str:
    before = m.tree(world.base)
    result = world.do("register", source=str(source))
    assert result["code"] in ("unsafe", "missing", "usage"), result
    assert m.tree(world.base).keys() - {"crypto/kraken_global/models/.lock"} == before.keys() - {"crypto/kraken_global/models/.lock"}
    return str(result["msg"])


def test_links_and_odd_files_are_not_taken_in(world: m.World) -> None:
    secret = world.place / "secret"
    secret.write_bytes(m.onnx_bytes())
    for number, make in enumerate((
            lambda path: path.symlink_to(secret), lambda path: os.link(secret, path), os.mkfifo)):
        source = m.candidate(world.place / f"s{number}")
        (source / "model.onnx").unlink()
        make(source / "model.onnx")
        assert "model.onnx" in str(refused(world, source))
    folder = m.candidate(world.place / "s9")
    (world.place / "elsewhere").mkdir()
    (folder / "sub").symlink_to(world.place / "elsewhere")
    refused(world, folder)
    (world.place / "through").symlink_to(m.candidate(world.place / "real"))
    refused(world, world.place / "through")


def test_names_and_amounts_that_the_profile_does_not_allow(world: m.World) -> None:
    for name in (".hidden", "a b", "ünï", "-rf"):
        source = m.candidate(world.place / f"n{abs(hash(name))}")
        (source / name).write_bytes(b"x")
        refused(world, source)
    many = m.candidate(world.place / "many")
    for number in range(30):
        (many / f"f{number}").write_bytes(b"x")
    assert "more than the profile allows" in str(refused(world, many))
    assert world.do("register", source=str(m.candidate(world.place / "big")), profile={**m.PROFILE, "max_bytes": 100})["code"] == "unsafe"


@pytest.mark.parametrize("text", ["../x", "/x", "a/../b", "", "A", "a//b", "a/b/c/d/e", None, "a\n"])
def test_a_scope_cannot_leave_the_registry(text: str | None) -> None:
    with pytest.raises(RegistryError):
        names.scope(text)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["sha256:xyz", "../../etc", "", None, "sha256:" + "A" * 64, "a" * 63])
def test_a_digest_cannot_leave_the_registry(text: str | None) -> None:
    with pytest.raises(RegistryError):
        names.folder(text)


def test_a_signature_over_the_manifest_counts_where_it_is_asked_for(world: m.World) -> None:
    from golive.model_registry import command

    from tests.fixtures import people as p

    signers = m.SIGNERS + p.enrol("ci-main", namespaces="golive-evidence") + "\n"
    more = {"profile": {**m.PROFILE, "signed": True}, "signers": signers, "issuers": {**m.ISSUERS, "ci-main": "ci"}}
    for seed, by, verdict in ((1, None, "fail"), (2, "ci-main", "pass"), (3, "drill-main", "fail")):
        source = m.candidate(world.place / f"s{seed}", seed)
        if by:
            files, _signatures = command.seen.source(str(source), {"max_files": 10, "max_bytes": 1 << 30})
            manifest = command.manifest.encode([command.File(one.path, one.size, one.sha256) for one in files])
            (source / f"manifest.json.{by}.sig").write_bytes(p.sign(manifest, by, "golive-evidence"))
        digest = world.must("register", source=str(source), **more)["facts"]["candidate"]
        judged = world.do("validate", candidate=digest, evidence=str(m.evidence(world.place / f"e{seed}", digest)), **more)
        assert judged["facts"]["gates"]["INTEGRITY"] == verdict, judged.get("msg")
