"""A dependency has a known vulnerability of high severity."""
from __future__ import annotations

from .harness.records import measured

TRIALS = (
    measured("ci", "dependency_vulnerabilities", {"findings_high": 1}, "deps.no_known_vulns"),
)
