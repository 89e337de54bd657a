"""Promotion, rollback and retention on a real host: as the owner of the registry, with real users, files, signatures and a full disk."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.model_registry.conftest import BASE, CRYPTO, Host, handed_in

pytestmark = [pytest.mark.lab, pytest.mark.timeout(3600)]


def test_promotion_and_rollback_do_what_their_dry_run_said(registry: Host, approved: dict[str, Any], tmp_path: Path) -> None:
    given = handed_in(registry, tmp_path, 11)
    objects = registry.four(registry.task("approve", **given))
    assert [(name.split(":")[0], op) for name, op in objects] == [("model", "create"), ("log", "update"), ("pointer", "update")]
    back = registry.task("rollback", away_from=given["candidate"], reason="a test of the way back")
    assert [name.split(":")[0] for name, _op in registry.four(back)] == ["log", "pointer"]
    assert registry.tool_run("verify")["problems"] == []


def test_only_the_owner_promotes(registry: Host, approved: dict[str, Any], tmp_path: Path) -> None:
    given = handed_in(registry, tmp_path, 12)
    before = registry.must(f"cat {CRYPTO}/models/approved_model.json")
    for user in ("bot", "trainer", "swing"):
        refused = registry.promotion("approve", owner=user, **given)
        assert refused.rc != 0
    assert registry.must(f"cat {CRYPTO}/models/approved_model.json") == before


@pytest.mark.parametrize("trouble", ["full", "read-only"])
def test_a_disk_that_takes_nothing_leaves_the_old_model_in_force(registry: Host, approved: dict[str, Any], tmp_path: Path,
                                                                trouble: str) -> None:
    """A real tmpfs of the size of what is there, or a real read-only mount, over a copy of the registry."""
    given = handed_in(registry, tmp_path, 13 if trouble == "full" else 14)
    place, root = f"/srv/{trouble}", f"/srv/{trouble}/crypto/kraken_global"
    registry.must(f"mkdir -p {place} && mount -t tmpfs -o size=64m,mode=0755 none {place} && cp -a {BASE}/crypto {place}/")
    squeeze = {"full": f"dd if=/dev/zero of={place}/fill bs=1M 2>/dev/null; true", "read-only": f"mount -o remount,ro {place}"}[trouble]
    relax = {"full": f"rm {place}/fill", "read-only": f"mount -o remount,rw {place}"}[trouble]
    try:
        before = registry.must(f"cat {root}/models/approved_model.json")
        registry.must(squeeze)
        refused = registry.tool_run("approve", refused=True, **{**given, "store": {"path": place}})
        assert "refused" in refused["msg"] or "space" in refused["msg"].lower() or "read-only" in refused["msg"].lower()
        assert registry.must(f"cat {root}/models/approved_model.json") == before
        registry.must(relax)
        registry.tool_run("approve", **{**given, "store": {"path": place}})
        assert json.loads(registry.must(f"cat {root}/models/approved_model.json"))["digest"] == given["candidate"]
        assert registry.tool_run("verify", store={"path": place})["problems"] == []
    finally:
        registry.shell(f"umount {place}")


def test_retention_runs_as_its_own_unit(registry: Host, approved: dict[str, Any]) -> None:
    done = registry.must("systemctl start golive-model-retention-crypto-kraken_global.service; "
                         "systemctl show --property=Result,User golive-model-retention-crypto-kraken_global.service")
    assert "Result=success" in done
    assert "User=model-registry" in done
