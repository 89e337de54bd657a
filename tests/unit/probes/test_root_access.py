"""Everybody who can become root is told, however he got there."""

from __future__ import annotations

from pathlib import Path

import pytest
from golive.errors import Undecided
from golive.probes.root_access import FACTS, observe

from .fake_look import FakeLook

PASSWD = "root:x:0:0:root:/root:/bin/bash\nops:x:1000:1000::/home/ops:/bin/sh\nbot:x:998:998::/var/lib/bot:/usr/sbin/nologin\n"
GROUP = "root:x:0:\nsudo:x:27:\ndocker:x:990:\nops:x:1000:\nbot:x:998:\n"
SUDOERS = ("Defaults env_reset\n# games ALL=(ALL) ALL\nroot ALL=(ALL:ALL) ALL\n%sudo ALL=(ALL:ALL) ALL\n"
           "%absent ALL=(ALL) ALL\n@includedir /etc/sudoers.d\n")


class Host:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.write("/etc/passwd", PASSWD)
        self.write("/etc/group", GROUP)
        self.write("/etc/sudoers", SUDOERS)
        self.write("/etc/sudoers.d/ops", "ops ALL=(root) NOPASSWD: /usr/bin/true\n")

    def write(self, path: str, text: str) -> None:
        place = self.root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)

    def seen(self):
        found = observe({"root": str(self.root)}, FakeLook())
        assert set(found.facts) <= set(FACTS)
        return found


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_a_host_as_it_should_be_names_root_and_its_operator(host: Host) -> None:
    found = host.seen()
    assert found.facts == {"users": ["ops", "root"], "ways": ["ops: sudo /etc/sudoers.d/ops", "root: sudo /etc/sudoers", "root: uid 0"]}
    assert found.opportunities == 3


@pytest.mark.parametrize(("path", "text", "way"), [
    ("/etc/passwd", PASSWD + "toor:x:0:0::/root:/bin/sh\n", "toor: uid 0"),
    ("/etc/group", GROUP.replace("sudo:x:27:", "sudo:x:27:bot"), "bot: group sudo"),
    ("/etc/group", GROUP.replace("sudo:x:27:", "sudo:x:27:bot"), "bot: sudo /etc/sudoers"),
    ("/etc/group", GROUP.replace("docker:x:990:", "docker:x:990:bot"), "bot: group docker"),
    ("/etc/passwd", PASSWD.replace("bot:x:998:998", "bot:x:998:990"), "bot: group docker"),     # as its primary group
    ("/etc/sudoers.d/x", "games ALL=(ALL) NOPASSWD: ALL\n", "games: sudo /etc/sudoers.d/x"),
    ("/etc/sudoers.d/x", "a, games\\\n ALL=(ALL) ALL\n", "games: sudo /etc/sudoers.d/x"),
    ("/etc/sudoers.d/x", "User_Alias CREW = games, b : REST = c\nCREW ALL=(ALL) ALL\n", "games: sudo /etc/sudoers.d/x"),
    ("/etc/sudoers.d/x", "#998 ALL=(ALL) ALL\n", "#998: sudo /etc/sudoers.d/x"),
    ("/etc/sudoers.d/x", "+netgroup ALL=(ALL) ALL\n", "+netgroup: sudo /etc/sudoers.d/x"),
    ("/etc/sudoers.d/x", "ALL ALL=(ALL) ALL\n", "ALL: sudo /etc/sudoers.d/x"),
])
def test_a_way_to_root_is_told(host: Host, path: str, text: str, way: str) -> None:
    host.write(path, text)
    found = host.seen()
    assert way in found.facts["ways"]
    assert way.partition(":")[0] in found.facts["users"]


def test_an_include_elsewhere_is_followed_and_what_sudo_passes_over_is_passed_over(host: Host) -> None:
    host.write("/etc/sudoers", SUDOERS + "#include /opt/rules\n")
    host.write("/opt/rules", "games ALL=(ALL) ALL\n")
    host.write("/etc/sudoers.d/old.bak", "b ALL=(ALL) ALL\n")
    host.write("/etc/sudoers.d/old~", "b ALL=(ALL) ALL\n")
    assert host.seen().facts["users"] == ["games", "ops", "root"]


@pytest.mark.parametrize("more", ["@include /etc/sudoers\n", "@include /nowhere\n"])
def test_what_cannot_be_read_to_its_end_is_undecided(host: Host, more: str) -> None:
    host.write("/etc/sudoers", more)
    with pytest.raises(Undecided):
        host.seen()


def test_a_host_without_sudo_has_users_all_the_same(host: Host) -> None:
    (host.root / "etc/sudoers").unlink()
    assert host.seen().facts["users"] == ["root"]
