"""Drill of the backup: taken now, fetched by the keeper, restored there in memory and compared record by record."""
from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ...errors import GoliveError
from .hosts import wait_for
from .scene import Scene

Found = tuple[dict[str, Any], int]
PROGRAM, IDENTITY, SET = "/usr/local/lib/golive/restore_drill.py", "/var/lib/golive-backup/age_identity", "config"


def restore(scene: Scene) -> Found:
    """Whole backup, from the bot's host that can only encrypt, to the keeper that opens it: not one record may differ or be missing."""
    name, directory = str(scene.variables["backup_keeper"]), str(scene.variables["backup_copy_directory"])
    keeper = scene.machines.get(name)
    if keeper is None:
        raise GoliveError("the host that keeps the backups is no kill machine of this inventory", where="backup_keeper", found=name)

    def newest() -> str:
        shown = keeper.run("sh", "-c", f"ls -1 {directory}/{SET}-*.manifest.json").stdout.split()
        return max(shown, default="")

    before = newest()
    scene.bot.need("systemctl", "start", "golive-backup.service")

    def fetched() -> bool:
        keeper.run("systemctl", "start", "golive-backup-pull.service")
        return newest() > before

    wait_for(fetched, "a backup of now is fetched by its keeper", pause_s=1)
    manifest = json.loads(keeper.need("cat", newest()))
    done = keeper.run(PROGRAM, directory, SET, IDENTITY)
    found = json.loads(done.stdout)
    if found.get("problem"):
        raise GoliveError("the backup could not be restored", where=name, found=str(found["problem"])[:200])
    other = keeper.need("cat", "/etc/machine-id") != scene.bot.need("cat", "/etc/machine-id")
    records = sum(manifest["records"].values())
    if records == 0:
        raise GoliveError("the backup holds no record, so that none could have been lost", where=name)
    return {"records_match": found["records_match"], "checksums_match": found["checksums_match"], "rto_s": found["rto_s"],
            "other_host": other, "taken": found["taken"], "files": found["files"], "records": records}, records


DRILLS: dict[str, Callable[[Scene], Found]] = {"restore": restore}
