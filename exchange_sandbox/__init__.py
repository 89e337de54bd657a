"""The rehearsal exchange: speaks the venues' wire protocols, keeps their rules, records and judges every request."""

from __future__ import annotations

MARKER_HEADER = "X-Golive-Sandbox"
MARKER_VALUE = "rehearsal"
KEY_PREFIX = "SANDBOX"
