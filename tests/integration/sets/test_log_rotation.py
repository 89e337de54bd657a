"""A log stays below its limit, and its writer follows the rotation without losing a line."""

from __future__ import annotations

import pytest

from .conftest import Lab, wait_for

pytestmark = pytest.mark.lab

WRITER = """\
import logging, logging.handlers, time, os
log = logging.getLogger()
log.addHandler(logging.handlers.WatchedFileHandler("/var/log/bot/wire.log"))
log.setLevel("INFO")
for number in range(12000):
    log.info("%06d " % number + "x" * 1000)
open("/var/log/bot/.burst", "w").close()
while True:
    log.info("tick")
    time.sleep(0.1)
"""
PLAY = {
    "tasks": [
        {"accounts": {"groups": [{"name": "bot"}], "users": [{"name": "bot", "group": "bot", "home": "/var/lib/bot"}]}},
        {"ansible.builtin.import_role": {"name": "logging"}},
    ]
}


def test_a_burst_of_12_mb_gives_a_new_generation_and_the_writer_follows(bare: Lab) -> None:
    assert ("unit:golive-logrotate.timer", "start") in bare.four_runs(PLAY)
    bare.inside(
        "sh", "-c", f"cat > /opt/writer.py <<'END'\n{WRITER}END\nsystemd-run --quiet --unit=writer --uid=bot python3 /opt/writer.py"
    )
    wait_for(lambda: bare.tool("exec", "subject", "--", "test", "-e", "/var/log/bot/.burst").returncode == 0, "the burst")
    bare.inside("systemctl", "start", "golive-logrotate.service")
    rotated = wait_for(lambda: bare.inside("sh", "-c", "ls /var/log/bot/wire.log.*.gz").split(), "a compressed generation")
    wait_for(lambda: "tick" in bare.inside("sh", "-c", "tail -n 1 /var/log/bot/wire.log"), "the writer to follow")
    numbers = bare.inside("sh", "-c", f"zcat {' '.join(rotated)} | cat - /var/log/bot/wire.log | grep -c '^[0-9]\\{{6\\}} '")
    assert int(numbers) == 12000
    sizes = [int(size) for size in bare.inside("sh", "-c", "stat -c %s /var/log/bot/wire.log*").split()]
    assert max(sizes) < 10_000_000
