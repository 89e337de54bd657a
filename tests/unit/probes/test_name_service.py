"""Who answers for a name is told: the resolvers, those behind a stub too, and a file that answers before them."""

from __future__ import annotations

from pathlib import Path

import pytest
from golive.errors import Undecided
from golive.probes.name_service import FACTS, observe

from .fake_look import FakeLook


def host(root: Path, resolvers: str, hosts: str = "127.0.0.1\tlocalhost\n", behind: str | None = None) -> str:
    (root / "etc").mkdir()
    (root / "etc/resolv.conf").write_text(resolvers)
    (root / "etc/hosts").write_text(hosts)
    if behind is not None:
        (root / "run/systemd/resolve").mkdir(parents=True)
        (root / "run/systemd/resolve/resolv.conf").write_text(behind)
    return str(root)


def seen(root: str):
    found = observe({"root": root}, FakeLook())
    assert set(found.facts) == set(FACTS)
    return found


def test_resolvers_are_told_in_their_order_and_words_about_them_are_not(tmp_path: Path) -> None:
    found = seen(host(tmp_path, "# by hand\nsearch example.com\nnameserver 192.0.2.53\nnameserver 198.51.100.7\noptions ndots:0\n"))
    assert found.facts["servers"] == ["192.0.2.53", "198.51.100.7"]
    assert found.opportunities == 2


def test_whom_a_stub_asks_is_told_with_it(tmp_path: Path) -> None:
    root = host(tmp_path, "nameserver 127.0.0.53\n", behind="nameserver 198.51.100.7\n")
    assert seen(root).facts["servers"] == ["127.0.0.53", "198.51.100.7"]


def test_what_resolved_would_ask_does_not_count_where_nobody_asks_it(tmp_path: Path) -> None:
    assert seen(host(tmp_path, "nameserver 192.0.2.53\n", behind="nameserver 198.51.100.7\n")).facts["servers"] == ["192.0.2.53"]


def test_a_name_that_the_hosts_file_answers_is_told_and_a_neighbour_without_domain_is_not(tmp_path: Path) -> None:
    root = host(tmp_path, "nameserver 127.0.0.11\n", "127.0.0.1 localhost localhost.localdomain\n192.0.2.14 vault\n"
                "203.0.113.9 other API.kraken.com # mine\n# 203.0.113.9 api.binance.com\n127.0.0.1 172.30.1.12\n")
    assert seen(root).facts["names"] == ["127.0.0.1 172.30.1.12", "203.0.113.9 api.kraken.com"]


def test_a_host_without_resolver_offers_no_opportunity(tmp_path: Path) -> None:
    assert seen(host(tmp_path, "")).opportunities == 0


@pytest.mark.parametrize("gone", ["etc/resolv.conf", "etc/hosts"])
def test_a_file_that_is_not_there_is_undecided(tmp_path: Path, gone: str) -> None:
    root = host(tmp_path, "nameserver 127.0.0.11\n")
    (tmp_path / gone).unlink()
    with pytest.raises(Undecided, match=gone):
        seen(root)
