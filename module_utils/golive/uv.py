"""Which uv builds environments here, and which certificates does it trust?

Standard library only: scripts/setup.py uses it before the environment exists.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import tomllib

from .lab.cache import cache_dir

_CERTIFICATE_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT")
_LOCAL_AUTHORITIES = Path("/usr/local/share/ca-certificates")


def own_folder() -> Path:
    """Where the uv lives that we install when the machine has none."""
    return cache_dir() / "uv"


def required(project: Path) -> str:
    """The requirement on uv in pyproject.toml, such as `>=0.5`."""
    return str(tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["uv"]["required-version"])


def find(project: Path) -> str | None:
    """Path of a uv that satisfies the project: the machine's, else our own, else None."""
    oldest = _version(required(project).removeprefix(">="))
    for candidate in (shutil.which("uv"), str(own_folder() / "bin" / "uv")):
        if candidate and os.access(candidate, os.X_OK):
            words = subprocess.run([candidate, "--version"], check=False, capture_output=True, text=True).stdout.split()
            if len(words) > 1 and _version(words[1]) >= oldest:  # a shim that leads nowhere prints no version
                return candidate
    return None


def certificate_environment(environ: Mapping[str, str], local: Path = _LOCAL_AUTHORITIES) -> dict[str, str]:
    """Variables that make uv trust what this machine trusts, where the machine has certificates of its own.

    uv brings its own list of authorities; behind a company's inspecting proxy only the system's store is right.
    """
    named = next((environ[name] for name in _CERTIFICATE_VARIABLES if environ.get(name)), None)
    if named is None and not environ.get("SSL_CERT_DIR") and not any(local.glob("**/*.crt")):
        return {}
    asked = {"UV_NATIVE_TLS": "1", "UV_SYSTEM_CERTS": "1"}  # the second is the newer name of the first
    if named is not None and Path(named).is_file():
        asked["SSL_CERT_FILE"] = named
    return asked


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")[:3] if part.isdigit())
