"""Where an API key comes from: a descriptor, a systemd credential, a sealed file, a private file. Never the command line.

A reference names the place; the place holds one JSON object `{"key": …, "secret": …, "passphrase": …}` (`api_key` and
`api_secret` are taken too; the passphrase only where the venue has one). Errors name the place and field names only.
"""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
from typing import Any, Dict, Mapping, Tuple

from ..errors import GoliveError
from .model import Credential

KINDS = ("fd", "credential", "sealed", "file")
_CAP = 16 * 1024
_NAMES = {
    "key": "key",
    "api_key": "key",
    "secret": "secret",
    "api_secret": "secret",
    "passphrase": "passphrase",
    "api_passphrase": "passphrase",
}
_PLACEHOLDERS = frozenset(
    [
        "test",
        "changeme",
        "actual-key",
        "actual-secret",
        "your_api_key",
        "your-api-key",
        "your_api_secret",
        "your-api-secret",
        "api_key",
        "api_secret",
        "secret",
        "key",
        "none",
        "null",
        "xxx",
    ]
)


def load(reference: str, environment: Mapping[str, str]) -> Credential:
    """Return the credential that a reference names: `fd:3`, `credential:NAME`, `sealed:/path`, `file:/path`.

    `environment` gives CREDENTIALS_DIRECTORY, which systemd sets for `LoadCredential=` and `LoadCredentialEncrypted=`.
    Raises GoliveError that names the place and never its content.
    """
    kind, _, rest = reference.partition(":")
    if kind not in KINDS or not rest:
        # The text itself may be a secret that was put in the wrong place, so it is not shown.
        raise GoliveError(
            "not a reference to a credential",
            where="credential",
            found="%d characters" % len(reference),
            expected="fd:N, credential:NAME, sealed:/path or file:/path",
        )
    if kind == "fd":
        data, place = _descriptor(rest), reference
    elif kind == "credential":
        path, place = _systemd(rest, environment), reference
        data = _file(path, place, private=False)
    elif kind == "sealed":
        data, place = _sealed(rest), reference
    else:
        data, place = _file(rest, reference, private=True), reference
    return parse(data, place)


def parse(data: bytes, place: str) -> Credential:
    """Return the credential in a JSON document. Raises GoliveError that names `place` and field names only."""
    try:
        found: Any = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise GoliveError("does not hold one JSON object", where=place, expected='{"key": …, "secret": …}')
    return build(found, place)


def build(found: Mapping[str, Any], place: str) -> Credential:
    """Return the credential of a mapping with key, secret and, where the venue has one, passphrase."""
    parts: Dict[str, str] = {}
    for name, value in found.items():
        field = _NAMES.get(name)
        if field is None:
            # Not named: in a document that was put together wrongly the name may be the key itself.
            raise GoliveError("holds a field that is not part of a key", where=place, expected="key, secret, passphrase only")
        if field in parts:
            raise GoliveError("gives the %s twice" % field, where=place)
        if value is None and field == "passphrase":
            continue
        parts[field] = _part(value, field, place)
    for field in ("key", "secret"):
        if field not in parts:
            raise GoliveError("gives no %s" % field, where=place, expected='{"key": …, "secret": …}')
    return Credential(parts["key"], parts["secret"], parts.get("passphrase", ""))


def _part(value: Any, field: str, place: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise GoliveError("the %s is empty or not a text" % field, where=place)
    text = value.strip()
    if text.lower() in _PLACEHOLDERS:
        raise GoliveError("the %s is a placeholder" % field, where=place, todo="store the real one")
    if field != "secret" and not re.match(r"[\x21-\x7e]+\Z", text):
        raise GoliveError("the %s holds blanks, line breaks or other than ASCII" % field, where=place, todo="store it without them")
    return text


def _descriptor(text: str) -> bytes:
    if not re.match(r"[0-9]{1,5}\Z", text):
        raise GoliveError("not the number of a file descriptor", where="credential", found="fd:…", expected="fd:3")
    try:
        with os.fdopen(int(text), "rb", closefd=False) as handle:
            return _capped(handle.read(_CAP + 1), "fd:" + text)
    except OSError as exc:
        raise GoliveError("cannot be read: %s" % exc.strerror, where="fd:" + text, todo="open it, e.g. 3< /run/…/key.json") from None


def _systemd(name: str, environment: Mapping[str, str]) -> str:
    directory = environment.get("CREDENTIALS_DIRECTORY", "")
    if not directory:
        raise GoliveError(
            "CREDENTIALS_DIRECTORY is not set, so this is not a service with credentials",
            where="credential:" + name[:60],
            todo="run it as ExecStartPre= of the unit that loads the credential, or use sealed:/path",
        )
    if "/" in name or name in (".", ".."):
        raise GoliveError("not the name of a credential", where="credential", expected="a name without slashes")
    return os.path.join(directory, name)


def _file(path: str, place: str, private: bool) -> bytes:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | (os.O_NOFOLLOW if private else 0))
    except OSError as exc:
        raise GoliveError("cannot be opened: %s" % exc.strerror, where=place) from None
    try:
        about = os.fstat(handle)
        if not stat.S_ISREG(about.st_mode):
            raise GoliveError("is not a regular file", where=place)
        if private and (about.st_mode & 0o077 or about.st_uid not in (0, os.geteuid())):
            raise GoliveError(
                "others may read or own it",
                where=place,
                found="mode %04o" % stat.S_IMODE(about.st_mode),
                expected="0600 or 0400, own or root's",
                todo="treat the key as leaked: replace it at the venue",
            )
        with os.fdopen(os.dup(handle), "rb") as stream:
            return _capped(stream.read(_CAP + 1), place)
    finally:
        os.close(handle)


def _sealed(path: str) -> bytes:
    """Open a host-bound credential that `systemd-creds encrypt` made; only root on this very host can."""
    place = "sealed:" + path
    name = re.sub(r"\.cred\Z", "", os.path.basename(path))
    if not os.path.isabs(path) or not os.path.exists(path):
        raise GoliveError("there is no such file", where=place[:200], expected="an absolute path")
    try:
        done = subprocess.run(
            ["systemd-creds", "decrypt", "--name=" + name, path, "-"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=10,
            check=False,
        )
    except FileNotFoundError:
        raise GoliveError("systemd-creds is not installed", where=place) from None
    except subprocess.TimeoutExpired:
        raise GoliveError("systemd-creds gave no answer within 10 s", where=place) from None
    if done.returncode != 0:
        words = done.stderr.decode("utf-8", "replace").strip().rsplit("\n", 1)[-1][:160]
        raise GoliveError(
            "systemd-creds could not open it: %s" % words, where=place, todo="seal it on this host, as root, under the name %s" % name
        )
    return _capped(done.stdout, place)


def _capped(data: bytes, place: str) -> bytes:
    if len(data) > _CAP:
        raise GoliveError("is larger than 16 KiB, which no key is", where=place)
    return data


def parts(credential: Credential) -> Tuple[str, ...]:
    """Return the parts that must never be shown."""
    return tuple(part for part in credential if part)
