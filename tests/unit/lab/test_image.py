"""The recipe of the lab image."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from golive.lab.image import RECIPE, _forget_old_tarballs, image_key, read_list


def test_key_changes_with_the_recipe(tmp_path: Path) -> None:
    copy = tmp_path / "image"
    shutil.copytree(RECIPE, copy)
    assert image_key(copy) == image_key()
    with (copy / "pool.list").open("a") as handle:
        handle.write("tree\n")
    assert image_key(copy) != image_key()


def test_offered_packages_are_not_installed() -> None:
    """Else a role would find done what it should do, and its dry run on a bare host would prove nothing."""
    offered, installed = set(read_list(RECIPE / "pool.list")), set(read_list(RECIPE / "installed.list"))
    assert not offered & installed
    assert {"chrony", "nftables", "prometheus", "rsyslog"} <= offered


def test_comments_are_no_packages(tmp_path: Path) -> None:
    (tmp_path / "x.list").write_text("# all\n\njq  # small\n")
    assert read_list(tmp_path / "x.list") == ["jq"]


def test_scripts_can_be_run_and_read() -> None:
    for script in (RECIPE / "configure", RECIPE / "overlay/usr/local/sbin/golive-lab-init"):
        assert os.access(script, os.X_OK)
        subprocess.run(["sh", "-n", script], check=True)


def test_one_older_tarball_is_kept(tmp_path: Path) -> None:
    for age, name in enumerate(["new", "old", "older", "oldest"]):
        (tmp_path / f"{name}.tar").touch()
        os.utime(tmp_path / f"{name}.tar", (1000 - age, 1000 - age))
    _forget_old_tarballs(keep=tmp_path / "oldest.tar")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new.tar", "oldest.tar"]
