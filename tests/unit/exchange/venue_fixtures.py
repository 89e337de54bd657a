"""The venues' documented answers as files: one JSON a venue, found by looking into the folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from golive.exchange.model import Answer, Credential, KeyReport, Stamp, Venue
from golive.exchange.venues import load

FOLDER = Path(__file__).parent / "fixtures"
NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))

STAMP = Stamp(1_700_000_000_123, 1_700_000_000_123, "0" * 32)


class Fixture(NamedTuple):
    name: str
    credential: Credential
    cases: dict[str, dict[str, Any]]
    refusals: list[dict[str, Any]]
    withdraw: dict[str, Any]

    def venue(self) -> Venue:
        return load(self.name)()


def fixture(name: str) -> Fixture:
    text = (FOLDER / f"{name}.json").read_text()
    plain = json.loads(text)
    key = plain["credential"]["key"]
    found = json.loads(text.replace("$KEY", key).replace("$MASKED", key[:19] + "*****"))
    credential = Credential(**found["credential"])
    return Fixture(name, credential, found["cases"], found["refusals"], found["withdraw"])


def answer(body: Any, status: int = 200) -> Answer:
    data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return Answer(status, {"content-type": "application/json"}, data)


def talk(found: Fixture, body: Any, status: int = 200) -> KeyReport:
    """Play one answer to every question of a venue's dialogue."""
    venue = found.venue()
    dialogue = venue.dialogue(found.credential, lambda: STAMP, venue.hosts["production"])
    next(dialogue)
    try:
        while True:
            dialogue.send(answer(body, status))
    except StopIteration as done:
        report = done.value
        assert isinstance(report, KeyReport)
        return report
