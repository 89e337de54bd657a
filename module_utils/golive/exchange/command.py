"""The read-only command for a person, and for ExecStartPre=: exit 0 pass, 1 fail, 2 undecided, 64 usage."""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import Any, Dict, List, NoReturn, Optional, Sequence, Tuple

from ..errors import GoliveError
from . import credential
from .ask import World
from .check import check
from .model import RIGHTS
from .nonce import SOURCES
from .rules import MATCHES
from .table import line, table
from .venues import NAMES, load
from .world import here

EXIT = {"pass": 0, "fail": 1, "undecided": 2}
USAGE = 64
MOST_PAUSE_S = 600.0


class _Parser(argparse.ArgumentParser):
    """argparse quotes what it does not understand, and what it does not understand may be a secret."""

    def error(self, message: str) -> NoReturn:
        text = message.split(":", 1)[0] if "unrecognized" in message or "ambiguous" in message else message.split(" (choose", 1)[0]
        if "invalid" in text:
            text = text.split("invalid", 1)[0] + "the value is not one of those allowed"
        raise GoliveError(text, where="command line", todo="see --help")


def parser() -> argparse.ArgumentParser:
    """Return the parser; its --help is the reference of the command."""
    found = _Parser(prog="golive-exchange-key", allow_abbrev=False, description=__doc__, epilog="rights: " + ", ".join(RIGHTS))
    add = found.add_argument
    add("--venue", required=True, choices=NAMES, metavar="NAME", help=", ".join(NAMES))
    add(
        "--credential",
        required=True,
        metavar="REF",
        help="fd:N, credential:NAME (systemd), sealed:/path (systemd-creds) or file:/path (0600)",
    )
    add("--market", help="what `trade` is about, where the venue tells markets apart")
    add("--environment", default="production", help="which of the venue's hosts (default: production)")
    add("--rehearsal", action="store_true", help="ask a rehearsal exchange: its keys and its marked answers only")
    add("--base-url", metavar="URL", help="https://host[:port] instead of the venue's own")
    add("--ca-file", metavar="PEM", help="an extra CA; verification is never off")
    add("--proxy", metavar="URL", help="http://host:port, a CONNECT proxy")
    add("--timeout", type=float, default=10.0, metavar="S", help="hard deadline of the whole call (default: 10)")
    add("--nonce-source", choices=SOURCES, help="how a nonce of the key may be spent, where the venue has nonces")
    add("--nonce-unit", choices=("ms", "us", "ns"), default="ms", help="the bot's own unit (default: ms)")
    add("--nonce-file", metavar="PATH", help="the bot's counter, for --nonce-source file")
    add("--nonce-file-may-be-new", action="store_true", help="make the counter if it is not there: the bot has never counted")
    add("--bot-unit", action="append", default=[], dest="bot_units", metavar="UNIT", help="a unit that uses the key; repeatable")
    add("--quiet-since", metavar="NONCE", help="ask with this nonce + 1: taken means that nobody used the key since")
    add("--allow", type=_list, metavar="RIGHTS", help="the only rights the key may have (default: read,trade)")
    add("--allow-any", action="store_true", help="do not judge which rights the key has")
    add("--require", type=_list, default=[], metavar="RIGHTS", help="rights the key must have (the venue's own names too)")
    add("--forbid", type=_list, default=[], metavar="RIGHTS", help="rights the key must not have (the venue's own names too)")
    add("--ip-allowlist", choices=MATCHES, metavar="HOW", help="exact, subset (no wider than) or restricted")
    add("--ip", action="append", default=[], metavar="ADDRESS", help="an address of the allow-list; repeatable")
    add("--egress-seen-by", action="append", default=[], metavar="URL", help="a reflector that sees this host's address; repeatable")
    add("--max-age-days", type=float, metavar="N")
    add("--min-days-left", type=float, metavar="N")
    add("--pause", type=float, default=0.0, metavar="S", help="wait before ending with anything but pass: a unit that restarts asks seldom")
    form = found.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="facts and verdict as one JSON object")
    form.add_argument("--one-line", action="store_true", help="the verdict in one line, for a journal")
    return found


def _list(text: str) -> List[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def main(argv: Sequence[str], world: Optional[World] = None) -> int:
    """Run and return the exit code. Nothing of the key is ever written."""
    world, pause = here() if world is None else world, 0.0
    try:
        asked = vars(parser().parse_args(list(argv)))
        pause = min(max(asked.pop("pause"), 0.0), MOST_PAUSE_S)
        code, text = run(asked, world)
        sys.stdout.write(_writable(text) + "\n")
    except GoliveError as exc:
        code = USAGE
        sys.stderr.write("USAGE: %s\n" % _writable(str(exc)))
    except Exception as exc:  # noqa: BLE001 (a traceback could quote a key, and its exit code 1 would read as a verdict)
        code = EXIT["undecided"]
        sys.stderr.write("UNDECIDED: the check itself failed (%s)\n" % type(exc).__name__)
    if code != 0 and pause:
        sys.stdout.flush()
        world.rest(pause)
    return code


def _writable(text: str) -> str:
    """Return the text as far as standard output's encoding goes."""
    encoding = sys.stdout.encoding or "ascii"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def _is_plain() -> bool:
    """Return whether standard output cannot write the marks."""
    try:
        "✓✗".encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return True
    return False


def run(asked: Dict[str, Any], world: World) -> Tuple[int, str]:
    """Return exit code and text for parsed options. Raises GoliveError for usage."""
    asked = dict(asked, ip_allowlist={"match": asked.pop("ip_allowlist", None), "addresses": asked.pop("ip", [])})
    found, judgement = check(asked, credential.load(asked["credential"], os.environ), world)
    if asked["json"]:
        text = json.dumps(
            {"verdict": judgement.verdict, "problems": judgement.problems, "undecided": judgement.undecided, "facts": found},
            sort_keys=True,
            ensure_ascii=False,
        )
    else:
        text = line(found, judgement) if asked["one_line"] else table(load(asked["venue"]).title, found, judgement, _is_plain())
    return EXIT[judgement.verdict], text
