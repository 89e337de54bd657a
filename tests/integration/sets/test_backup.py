"""Backups are taken, fetched by another host, cannot be changed there, and can be restored there."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .conftest import Lab, wait_for

pytestmark = pytest.mark.lab

KEEPER: dict[str, Any] = {
    "hosts": "other",
    "tasks": [
        {
            "ansible.builtin.import_role": {"name": "backup", "tasks_from": "keeper"},
            "vars": {
                "backup_pull_host": "{{ hostvars['subject'].ansible_host }}",
                "backup_host_keys": "{{ lookup('ansible.builtin.file', inventory_dir ~ '/known_hosts') }}",
            },
        }
    ],
}
FILES = [{"path": "/etc/bot/wire.json", "content": "{}\n"}, {"path": "/var/lib/bot/wire/ledger.jsonl", "content": "{}\n{}\n"}]
DIRECTORIES = [{"path": "/etc/bot"}, {"path": "/var/lib/bot"}, {"path": "/var/lib/bot/wire"}]
BOT: dict[str, Any] = {
    "pre_tasks": [{"managed_files": {"directories": DIRECTORIES, "files": FILES}}],
    "roles": ["backup"],
    "vars": {"backup_keeper": "other"},
}
COPIES, DRILL = "/var/backups/golive-bot", "/usr/local/lib/golive/restore_drill.py"


def drill(lab: Lab) -> dict[str, Any]:
    done = lab.tool("exec", "other", "--", "python3", DRILL, COPIES, "config", "/var/lib/golive-backup/age_identity")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_a_backup_is_taken_fetched_kept_and_restored(bare: Lab) -> None:
    objects = bare.four_runs([KEEPER, BOT])
    assert {("identity:/var/lib/golive-backup/ssh_key", "create"), ("unit:golive-backup.path", "start")} <= set(objects)
    wait_for(lambda: "manifest" in bare.inside("ls", "/var/backups/bot"), "the first backup")
    bare.inside("systemctl", "start", "golive-backup-pull.service", host="other")
    found = drill(bare)
    assert (found["passed"], found["files"]) == (True, 2)

    for argv in (["touch", f"{COPIES}/x"], ["rm", "-rf", f"{COPIES}/{found['archive']}"]):
        assert "Read-only file system" in bare.tool("exec", "other", "--", *argv).stdout

    bare.inside("sh", "-c", "echo '{\"new\": 1}' > /etc/bot/wire.json")
    bare.inside("truncate", "--size=-10", f"/var/lib/golive-backup/store/{found['archive']}", host="other")
    broken = drill(bare)
    assert broken["passed"] is False
    assert "is not what its manifest says" in broken["problem"]
    wait_for(lambda: int(bare.inside("sh", "-c", "ls /var/backups/bot/*.manifest.json | wc -l")) >= 2, "the change to be backed up")
    bare.inside("systemctl", "start", "golive-backup-pull.service", host="other")
    assert drill(bare)["passed"] is True
