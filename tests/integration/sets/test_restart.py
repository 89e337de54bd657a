"""A restart that is due happens, whoever was killed; one that is not due does not."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Lab, wait_for

pytestmark = pytest.mark.lab

SERVICE = """\
[Service]
ExecStart=/bin/sh -c 'cp /etc/bot/wire.json /run/has; exec sleep infinity'
Restart=always
RestartSec=0
{more}[Install]
WantedBy=multi-user.target
"""


def files(configuration: str, more: str = "") -> dict[str, Any]:
    entries = [
        {"path": "/etc/bot/wire.json", "content": configuration},
        {"path": "/etc/systemd/system/bot-wire.service", "content": SERVICE.format(more=more)},
    ]
    return {"managed_files": {"directories": [{"path": "/etc/bot"}], "files": entries}}


UNITS = {
    "units": {
        "units": [{"name": "bot-wire.service", "state": "started", "enabled": "true", "restart_when": {"digest_of": ["/etc/bot/*.json"]}}]
    }
}
RESTART = ("unit:bot-wire.service", "restart")


def test_a_restart_that_was_lost_to_a_crash_happens_on_the_next_run(shared: Lab) -> None:
    shared.run({"tasks": [files("1"), UNITS]}).must()
    shared.run({"tasks": [files("2")]}).must()  # killed here: the file is new, the process is not
    assert shared.run({"tasks": [files("2"), UNITS]}, "--check").must().objects == [RESTART]
    assert shared.run({"tasks": [files("2"), UNITS]}).must().objects == [RESTART]
    assert shared.inside("cat", "/run/has") == "2"


def test_a_changed_file_and_definition_are_predicted_with_their_restart(shared: Lab) -> None:
    shared.run({"tasks": [files("1"), UNITS]}).must()
    assert RESTART in shared.four_runs({"tasks": [files("2"), UNITS]})
    assert RESTART in shared.four_runs({"tasks": [files("2", more="Nice=5\n"), UNITS]})


def test_a_process_that_died_and_came_back_by_itself_needs_no_restart(shared: Lab) -> None:
    shared.run({"tasks": [files("1"), UNITS]}).must()
    shared.run({"tasks": [files("2")]}).must()
    shared.inside("systemctl", "kill", "--signal=KILL", "bot-wire.service")
    wait_for(lambda: shared.inside("cat", "/run/has") == "2", "systemd to start it again")
    assert shared.run({"tasks": [files("2"), UNITS]}).must().objects == []


def test_a_definition_that_was_read_by_a_killed_run_still_owes_its_restart(shared: Lab) -> None:
    shared.run({"tasks": [files("1"), UNITS]}).must()
    shared.run({"tasks": [files("1", more="Nice=5\n")]}).must()
    shared.inside("systemctl", "daemon-reload")  # somebody's package did that; systemd no longer knows that the process is old
    assert shared.run({"tasks": [files("1", more="Nice=5\n"), UNITS]}).must().objects == [RESTART]
