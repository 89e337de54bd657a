"""The venues' documented answers as files: one JSON a venue, found by looking into the folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from golive.exchange.model import Answer, Credential, Venue
from golive.exchange.venues import load

FOLDER = Path(__file__).parent / "fixtures"
NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))


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
