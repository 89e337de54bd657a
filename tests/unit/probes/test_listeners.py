"""A port that others can reach is told, by the kernel's own tables; what only this host reaches is not."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from golive.errors import Undecided
from golive.probes.listeners import FACTS, observe

from .fake_look import FakeLook

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"


def row(address: str, port: int, state: str, inode: int) -> str:
    return f"   0: {address}:{port:04X} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000     0        0 {inode} 1\n"


def host(root: Path, **tables: str) -> str:
    (root / "proc/sys/net/ipv4").mkdir(parents=True)
    (root / "proc/sys/net/ipv4/ip_local_port_range").write_text("32768\t60999\n")
    (root / "proc/net").mkdir()
    for name in ("tcp", "udp"):
        (root / "proc/net" / name).write_text(HEAD + tables.pop(name, ""))
    for name, text in tables.items():
        (root / "proc/net" / name).write_text(HEAD + text)
    return str(root)


def seen(root: str):
    found = observe({"root": root}, FakeLook())
    assert set(found.facts) <= set(FACTS)
    return found


def test_what_others_reach_is_told_with_its_program(tmp_path: Path) -> None:
    root = host(tmp_path, tcp=row("00000000", 22, "0A", 5) + row("0100007F", 8000, "0A", 6) + row("0B00007F", 53, "0A", 7)
                + row("0B3E1EAC", 443, "01", 8), tcp6=row("00000000000000000000000001000000", 323, "0A", 9)
                + row("00000000000000000000000000000000", 9999, "0A", 10))
    process = tmp_path / "proc/77"
    (process / "fd").mkdir(parents=True)
    (process / "comm").write_text("sshd\n")
    (process / "fd/3").symlink_to("socket:[5]")
    found = seen(root)
    assert found.facts == {"ports": ["tcp/22", "tcp/9999"], "where": ["tcp 0.0.0.0:22 sshd", "tcp :::9999"]}
    assert found.opportunities == 5


def test_a_client_that_waits_for_its_answer_is_no_listener_a_server_below_that_range_is(tmp_path: Path) -> None:
    root = host(tmp_path, udp=row("00000000", 45000, "07", 5) + row("00000000", 123, "07", 6) + row("00000000", 124, "01", 7))
    assert seen(root).facts["ports"] == ["udp/123"]


def test_an_ipv4_address_in_the_table_of_ipv6_is_shown_as_what_it_is(tmp_path: Path) -> None:
    assert seen(host(tmp_path, tcp6=row("0000000000000000FFFF00000B3E1EAC", 22, "0A", 5))).facts["where"] == ["tcp 172.30.62.11:22"]


def test_a_kernel_that_shows_nothing_is_undecided(tmp_path: Path) -> None:
    with pytest.raises(Undecided):
        seen(host(tmp_path))
    (tmp_path / "proc/net/tcp").unlink()
    with pytest.raises(Undecided):
        seen(str(tmp_path))


def test_a_socket_of_this_machine_is_seen() -> None:
    with socket.create_server(("0.0.0.0", 0)) as server:
        port = server.getsockname()[1]
        assert f"tcp/{port}" in seen("/").facts["ports"]
