"""Errors of the sandbox itself; one sentence that says what to do."""

from __future__ import annotations


class SandboxError(Exception):
    """The sandbox cannot do what its configuration or its administrator asks. The text never holds a secret."""


class BadRequest(SandboxError):
    """An administrator's request is wrong; becomes HTTP 400 with the text."""


class NotFound(SandboxError):
    """An administrator asked for what is not there; becomes HTTP 404 with the text."""
