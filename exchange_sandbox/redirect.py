"""Runs a bot unchanged against the sandbox: the venues' host names lead here, and the lab's authority is trusted, for this process only.

    sudo python -m exchange_sandbox.redirect --to 172.30.0.5 --authority /path/lab-ca.crt [--bundle FILE] [--user bot] -- python bot.py

The bot gets a mount namespace of its own with another /etc/hosts, and with the authority added to the system's bundle of certificates
and to those named by --bundle (ccxt's requests read `certifi`'s and nothing else); the host around it and everybody else on it see
nothing of it. The variables that the common TLS libraries read (OpenSSL, Python's requests, Node, curl) point at the authority, too.
For a systemd unit the same is `BindReadOnlyPaths=<file>:/etc/hosts` and `Environment=`. A bot that carries addresses instead of
names, or resolves names past /etc/hosts, never arrives: `GET /sandbox/v1/hosts` and the account's request count tell.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import pwd
import sys
import tempfile
from ipaddress import ip_address
from pathlib import Path

from .doors import VENUE_HOSTS
from .errors import SandboxError

CLONE_NEWNS, MS_BIND, MS_REC, MS_PRIVATE = 0x20000, 0x1000, 0x4000, 0x40000
#: Debian and its children, Fedora and its
SYSTEM_BUNDLES = (Path("/etc/ssl/certs/ca-certificates.crt"), Path("/etc/pki/tls/certs/ca-bundle.crt"))
#: OpenSSL and Python's ssl, requests, Node, curl
TRUST = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "CURL_CA_BUNDLE", "WEBSOCKET_CLIENT_CA_BUNDLE")


def hosts(address: str, present: str) -> str:
    """Return the text of /etc/hosts in which every host name of the venues leads to an address."""
    lines = "".join("%s %s\n" % (address, name) for name in VENUE_HOSTS)
    return "%s\n# the rehearsal exchange, instead of the venues\n%s" % (present.rstrip("\n"), lines)


def _call(name: str, result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise SandboxError("%s: %s; a mount namespace needs root (CAP_SYS_ADMIN)" % (name, os.strerror(number)))


def enter(files: dict[Path, bytes]) -> None:
    """Give this process (and what it starts) other contents of files. Raises SandboxError."""
    libc = ctypes.CDLL(None, use_errno=True)
    _call("unshare", libc.unshare(CLONE_NEWNS))
    _call("mount", libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None))
    for path, content in files.items():
        with tempfile.NamedTemporaryFile(prefix="redirect-") as handle:
            handle.write(content)
            handle.flush()
            os.chmod(handle.name, 0o644)
            # The mount keeps the file after its name is gone.
            _call("mount %s" % path, libc.mount(handle.name.encode(), os.fsencode(path), None, MS_BIND, None))


def contents(address: str, authority: Path, bundles: list[Path]) -> dict[Path, bytes]:
    """Return what the bot is to see: path -> content. Raises SandboxError for a bundle that is not there."""
    added, present = authority.read_bytes(), Path("/etc/hosts")
    out = {present: hosts(address, present.read_text(encoding="utf-8", errors="replace")).encode()}
    for path in [*(path for path in SYSTEM_BUNDLES if path.is_file()), *bundles]:
        if not path.is_file():
            raise SandboxError("--bundle: %s is no file" % path)
        out[path.resolve()] = path.read_bytes().rstrip(b"\n") + b"\n" + added
    return out


def main() -> int:
    """Return 2 with one sentence when the bot cannot be redirected; else the bot takes this process over."""
    parser = argparse.ArgumentParser(prog="exchange_sandbox.redirect", description="Run a bot unchanged against the rehearsal exchange.")
    parser.add_argument("--to", required=True, help="address of the sandbox (its venue listens on 443)")
    parser.add_argument("--authority", required=True, type=Path, help="certificate of the lab's authority")
    parser.add_argument("--bundle", type=Path, action="append", default=[], help="a bundle of certificates that the bot brings along")
    parser.add_argument("--user", help="run the bot as this user")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="-- and the bot's command line")
    args = parser.parse_args()
    command = args.command[1:] if args.command[:1] == ["--"] else args.command
    try:
        if not command:
            raise SandboxError("no command given; write -- and the bot's command line at the end")
        try:
            address = str(ip_address(args.to))
        except ValueError:
            raise SandboxError("--to: expected an address, found %r" % args.to) from None
        if not args.authority.is_file():
            raise SandboxError("--authority: %s is no file" % args.authority)
        environment = {**os.environ, **dict.fromkeys(TRUST, str(args.authority.resolve()))}
        enter(contents(address, args.authority, args.bundle))
        if args.user is not None:
            _become(args.user)
        os.execvpe(command[0], command, environment)  # noqa: S606  the bot takes this process over, with its own words
    except (SandboxError, OSError) as exc:
        print("exchange_sandbox.redirect: %s" % exc, file=sys.stderr)
    return 2


def _become(name: str) -> None:
    try:
        person = pwd.getpwnam(name)
    except KeyError:
        raise SandboxError("--user: no user %r on this host" % name) from None
    os.initgroups(name, person.pw_gid)
    os.setgid(person.pw_gid)
    os.setuid(person.pw_uid)


if __name__ == "__main__":
    sys.exit(main())
