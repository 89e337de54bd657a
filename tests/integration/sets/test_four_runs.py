"""Check, real, check, real on a bare host: what is predicted is done, and then nothing is left to do."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from .conftest import Lab

pytestmark = pytest.mark.lab

BOT = {
    "accounts": {
        "groups": [{"name": "bot", "system": True}],
        "users": [{"name": "bot", "group": "bot", "system": True, "home": "/var/lib/bot", "shell": "/usr/sbin/nologin", "groups": ["adm"]}],
        "members": [{"group": "bot", "user": "_chrony"}],
    }
}
SERVICE = """\
[Service]
ExecStart=/bin/sh -c 'cat /etc/bot/wire.json; exec sleep infinity'
Restart=always
[Install]
WantedBy=multi-user.target
"""


def test_packages_accounts_files_and_units_on_a_bare_host(bare: Lab) -> None:
    files = {
        "directories": [
            {"path": "/var/lib/bot", "owner": "bot", "mode": "0750", "acl": [{"group": "adm", "permissions": "rx"}]},
            {"path": "/etc/bot", "group": "bot", "mode": "0750"},
        ],
        "files": [
            {
                "path": "/etc/bot/wire.json",
                "content": "{}\n",
                "group": "bot",
                "mode": "0640",
                "validate": ["python3", "-m", "json.tool", "%s"],
            },
            {"path": "/etc/systemd/system/bot-wire.service", "content": SERVICE},
        ],
        "links": [{"path": "/var/lib/bot/configuration", "to": "/etc/bot/wire.json"}],
    }
    units = [
        {"name": "bot-wire.service", "state": "started", "enabled": "true", "restart_when": {"digest_of": ["/etc/bot/*.json"]}},
        {"name": "logrotate.timer", "state": "started", "enabled": "true"},
        {"name": "chrony.service", "state": "stopped", "enabled": "masked"},
    ]
    tasks = [{"packages": {"present": ["chrony", "logrotate"]}}, BOT, {"managed_files": files}, {"units": {"units": units}}]
    objects = bare.four_runs({"tasks": tasks})
    assert {("package:libpopt0", "install"), ("member:bot/_chrony", "create"), ("unit:bot-wire.service", "start")} <= set(objects)
    assert "system.posix_acl_access" in bare.inside("python3", "-c", "import os; print(os.listxattr('/var/lib/bot'))")


def test_the_roles_of_every_host_on_a_bare_host(bare: Lab) -> None:
    variables = {
        "base_clock_control": False,
        "base_kernel_control": False,
        "base_time_servers": [{"address": "other"}],
        "ssh_allow_users": ["golive"],
        "firewall_mode": "enforce",
    }
    objects = bare.four_runs({"roles": ["base", "ssh", "firewall"], "vars": variables})
    assert {("applied:ssh", "apply"), ("applied:firewall", "apply"), ("unit:chrony.service", "start")} <= set(objects)


def test_a_release_is_brought_once_and_an_altered_one_is_replaced(bare: Lab, tmp_path: Path) -> None:
    archive = tmp_path / "release.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        member = tarfile.TarInfo("app/main.py")
        member.size = 8
        tar.addfile(member, io.BytesIO(b"print()\n"))
    sha256 = hashlib.sha256(archive.read_bytes()).hexdigest()
    wanted = {
        "directories": [{"path": "/opt/bot"}, {"path": "/opt/bot/releases"}],
        "releases": [{"path": "/opt/bot/releases", "archive": str(archive), "sha256": sha256}],
        "links": [{"path": "/opt/bot/current", "to": f"releases/{sha256}"}],
    }
    play = {"tasks": [{"managed_files": wanted}]}
    assert (f"release:/opt/bot/releases/{sha256}", "create") in bare.four_runs(play)
    bare.inside("sh", "-c", "echo 'steal()' > /opt/bot/current/app/main.py")
    assert bare.four_runs(play) == [(f"release:/opt/bot/releases/{sha256}", "update")]
    assert bare.inside("cat", "/opt/bot/current/app/main.py") == "print()\n"
