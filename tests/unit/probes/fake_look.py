"""A look whose world is a table: what a URL answers, what a command prints."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from golive.errors import Undecided
from golive.probes.look import Completed
from golive.probes.web import Response

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


class FakeLook:
    """`answers` maps a piece of the URL (and of the body) to a JSON value, bytes, or a function of (url, data)."""

    def __init__(
        self,
        answers: Mapping[str, Any] | None = None,
        commands: Mapping[str, Any] | None = None,
        rehearsal: bool = True,
        secrets: Mapping[str, str] | None = None,
        context: Mapping[str, Any] | None = None,
    ) -> None:
        self.answers, self.commands, self.rehearsal = dict(answers or {}), dict(commands or {}), rehearsal
        self.secrets, self.context = dict(secrets or {}), dict(context or {})
        self.host, self.subject, self.asked = "bot", "bot", list[str]()
        self.ran = list[tuple[Sequence[str], str | None]]()
        self.time = NOW

    def now(self) -> datetime:
        return self.time

    def left(self) -> float:
        return 10.0

    def secret(self, reference: str) -> str:
        try:
            return self.secrets[reference]
        except KeyError:
            raise Undecided(f"the secret {reference} was not delivered with the plan") from None

    def run(self, argv: Sequence[str], timeout: float = 5.0, user: str | None = None, env: Any = None) -> Completed:
        self.ran.append((argv, user))
        line = " ".join(argv)
        for piece, answer in self.commands.items():
            if piece in line:
                return answer(argv) if callable(answer) else answer
        raise Undecided(f"{argv[0]} is not installed on {self.host}")

    def get(
        self,
        url: str,
        headers: Any = None,
        timeout: float = 5.0,
        ca_file: Any = None,
        data: bytes | None = None,
        method: str | None = None,
        cap: int = 1 << 20,
    ) -> Response:
        from urllib.parse import unquote_plus

        text = url + " " + unquote_plus((data or b"").decode("latin-1"))
        self.asked.append(text)
        for piece, answer in self.answers.items():
            if piece in text:
                return response(answer(url, data) if isinstance(answer, Callable) else answer)  # type: ignore[arg-type]
        raise Undecided(f"no answer from {url}")


def response(answer: Any, status: int = 200) -> Response:
    if isinstance(answer, Response):
        return answer
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    return Response(status, {"content-type": "application/json"}, body, 0.01, {})
