"""The tutorial docs/how-to/rehearse-a-bot.md, run as it is written: its blocks, with this test's directory and ports for its own."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .conftest import ROOT, eventually, free_port

DOCUMENT = ROOT / "docs/how-to/rehearse-a-bot.md"


def blocks(heading: str) -> list[str]:
    """Return the indented blocks below a heading, up to the next heading."""
    lines, out, inside = DOCUMENT.read_text().split("\n"), [], False
    block: list[str] = []
    for line in [*lines, "#"]:
        if line.startswith("#"):
            inside = line.lstrip("# ").startswith(heading)
        if line.startswith("    ") and inside:
            block.append(line[4:])
        elif block:
            out.append("\n".join(block))
            block = []
    return out


class Tutorial:
    """One shell after the other in one directory, as a reader would use them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.server: subprocess.Popen[bytes] | None = None
        self._ports = {"8080": str(free_port()), "9443": str(free_port())}
        self._before = ""

    def text(self, block: str) -> str:
        for old, new in {**self._ports, "/tmp/rehearsal": str(self.directory)}.items():
            block = block.replace(old, new)
        return re.sub(r"\bpython3? (?=-[cm])", sys.executable + " ", block)

    def shell(self, block: str) -> str:
        """Run a block; functions of earlier blocks are there."""
        script = "set -eu\ncd %s\n%s\n%s" % (self.directory, self._before, self.text(block))
        done = subprocess.run(
            ["bash", "-c", script],
            env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert not done.stderr.strip(), done.stderr
        return done.stdout

    def start(self, block: str) -> None:
        *setting, command = block.split("\n")
        assert command == "python -m exchange_sandbox --config config.json"
        self.shell("\n".join(setting))
        self.server = subprocess.Popen(
            self.text(command).split(), cwd=self.directory, env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)}
        )

    def define(self, block: str) -> None:
        self._before = self.text(block.split("\n", maxsplit=1)[0])

    def answers(self) -> bool:
        try:
            return "scale" in self.shell("ask clock")
        except AssertionError:
            return False

    def python(self, key: dict[str, Any], *parts: str) -> str:
        script = "KEY, SECRET = %r, %r\n%s" % (key["key"], key["secret"], self.text("\n".join(parts)))
        done = subprocess.run([sys.executable, "-c", script], cwd=self.directory, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def stop(self) -> None:
        if self.server is not None:
            self.server.terminate()
            self.server.wait(60)


@pytest.fixture
def tutorial(tmp_path: Path) -> Iterator[Tutorial]:
    made = Tutorial(tmp_path)
    yield made
    made.stop()


def test_the_tutorial_does_what_it_says(tutorial: Tutorial) -> None:
    tutorial.start(blocks("1.")[0])
    account = blocks("2.")[0]
    tutorial.define(account)
    eventually(tutorial.answers, "the exchange answers")
    made = tutorial.shell(account).split("\n")[-1] or tutorial.shell("ask keys")
    key = json.loads(made[made.rindex('{"key"') :])
    said = tutorial.python(key, blocks("3.")[0])
    assert float(said.split()[0]) > 0, said
    verdicts, state = (json.loads(tutorial.shell(line.split(" | ")[0].rstrip())) for line in blocks("4.")[0].split("\n"))
    assert verdicts["totals"]["requests"] >= 3
    assert {rule for rule, row in verdicts["rules"].items() if row["fail"]} == set(), verdicts
    assert [order["type"] for order in state["orders"]["open"]] == ["stop-loss"]
    for line in blocks("4.")[0].split("\n"):
        assert tutorial.shell(line).startswith("{")
    answers = [json.loads(tutorial.shell(line)) for line in blocks("5.")[0].split("\n")]
    assert [answer.get("name", answer.get("pattern", answer.get("scale"))) for answer in answers] == [
        "drop_ack_after_execution",
        "http_5xx",
        "ws_silence",
        "dip",
        10.0,
    ]
    assert tutorial.shell("curl -sS http://127.0.0.1:9443/").lstrip().startswith("<!DOCTYPE html>")


def test_the_part_about_binance_does_what_it_says(tutorial: Tutorial) -> None:
    start = blocks("1.")[0].replace('"allow_plain', '"venues": ["binance", "binance_usdm"], "allow_plain')
    assert start != blocks("1.")[0]
    tutorial.start(start)
    tutorial.define(blocks("2.")[0])
    eventually(tutorial.answers, "the exchange answers")
    tutorial.shell("""ask accounts -d '{"name": "mybot", "balances": {"USDT": "200", "um:USDT": "200"}}'""")
    rights = '"enableReading", "enableSpotAndMarginTrading", "enableFutures"'
    assert rights.replace(" ", "") in DOCUMENT.read_text().replace("\n", "").replace(" ", "")
    key = json.loads(tutorial.shell("""ask keys -d '{"account": "mybot", "rights": [%s]}'""" % rights))
    (script,) = blocks("Binance")
    tutorial.python(key, "import ccxt", script)
    state = json.loads(tutorial.shell("ask state/mybot"))
    assert [row["qty"] for row in state["positions"].values()] == ["0.01"]
    assert [order["type"] for order in state["orders"]["open"]] == ["stop-loss"]
