"""Logs as JSON lines without secrets; the file is reopened when it was rotated away."""

from __future__ import annotations

import base64
import json
import logging
import logging.handlers
import urllib.parse
from datetime import UTC, datetime
from pathlib import Path

_STANDARD = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonLines(logging.Formatter):
    """Formats a record as one JSON object; every known secret is replaced, in each form it could be written in."""

    def __init__(self, secrets: list[str]) -> None:
        super().__init__()
        self._secrets = sorted({form for secret in secrets for form in _forms(secret)}, key=len, reverse=True)

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        entry = {
            "at": datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        entry.update({name: value for name, value in vars(record).items() if name not in _STANDARD})
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        text = json.dumps(entry, default=str, ensure_ascii=True)
        for secret in self._secrets:
            text = text.replace(secret, "[redacted]")
        return text


def _forms(secret: str) -> list[str]:
    """Return how a secret could appear in a line: as it is, URL-encoded, in base64, escaped for JSON."""
    if len(secret) < 6:
        return []
    encoded = base64.b64encode(secret.encode()).decode()
    return [secret, urllib.parse.quote(secret), urllib.parse.quote_plus(secret), encoded, json.dumps(secret)[1:-1]]


def configure(path: str, secrets: list[str]) -> None:
    """Send all logs to the file (and nothing to the terminal). WatchedFileHandler follows the rotation."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    handler = logging.handlers.WatchedFileHandler(path, encoding="utf-8")
    handler.setFormatter(JsonLines(secrets))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
