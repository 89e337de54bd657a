"""`python -m golive.lab`: make, reset, cut and remove the lab hosts of an inventory."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from docker.errors import DockerException
from requests.exceptions import RequestException

from ..errors import GoliveError
from . import engine as engines
from .hosts import LabHosts
from .image import ensure_image, image_tag
from .inventory import DEFAULT_INVENTORY, read_lab
from .vault_binary import ensure_vault

_EPILOG = "The inventory file is the only source of truth: hosts of group rehearsal, ansible_host, lab_name, lab_network."


def main(argv: Sequence[str] | None = None) -> int:
    """Exit codes: 0 done, 1 could not be done (one sentence on standard error), 130 interrupted; `exec` passes its command's on."""
    options = _parser().parse_args(argv)
    try:
        return _act(options)
    except GoliveError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except (DockerException, RequestException) as error:
        print(f"lab: the Docker Engine refused or went away, found {' '.join(str(error).split())}; "
              "look at its log, then run the same command again", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"lab: {error.filename or 'this machine'}: {error.strerror or error}; put this right and run the same command again",
              file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("lab: interrupted; run the same command again to go on", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m golive.lab", description=__doc__, epilog=_EPILOG)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--inventory", "-i", type=Path, default=DEFAULT_INVENTORY,
                        help="inventory file (default: $GOLIVE_INVENTORY, now %(default)s)")
    acts = parser.add_subparsers(dest="act", required=True, metavar="ACT")
    acts.add_parser("up", parents=[common], help="make sure that every host runs and answers")
    acts.add_parser("down", parents=[common], help="remove hosts, network and keys of this lab")
    acts.add_parser("status", parents=[common], help="show what there is; exit 0 only if all hosts run")
    acts.add_parser("reset", parents=[common], help="replace hosts by bare ones").add_argument("hosts", nargs="+", metavar="HOST")
    acts.add_parser("cut", parents=[common], help="pull a host's network cable").add_argument("host")
    acts.add_parser("heal", parents=[common], help="plug it in again").add_argument("host")
    execute = acts.add_parser("exec", parents=[common], help="run a command as root inside a host, not over ssh")
    execute.add_argument("host")
    execute.add_argument("command", nargs=argparse.REMAINDER, metavar="COMMAND")
    acts.add_parser("engine", help="make sure a Docker Engine answers")
    acts.add_parser("image", help="make sure the image of lab hosts is there")
    acts.add_parser("vault", help="make sure the Vault binary is there; prints its folder")
    return parser


def _act(options: argparse.Namespace) -> int:
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"[{time.monotonic() - began:5.1f}s] {text}", flush=True)

    if options.act == "engine":
        print(engines.ensure_engine(say))
        return 0
    if options.act == "vault":
        state, folder = ensure_vault(say)
        print(f"{state}: {folder}")
        return 0
    if options.act == "image":
        print(f"{ensure_image(engines.connect(), say)}: {image_tag()}")
        return 0
    hosts = LabHosts(engines.connect(), read_lab(options.inventory), say)
    if options.act == "up":
        changed = hosts.up()
        print("changed: " + ", ".join(changed) if changed else "nothing changed")
    elif options.act == "down":
        removed = hosts.down()
        print("removed: " + ", ".join(removed) if removed else "nothing was there")
    elif options.act == "reset":
        hosts.reset(options.hosts)
    elif options.act == "cut":
        hosts.cut(options.host)
    elif options.act == "heal":
        hosts.heal(options.host)
    elif options.act == "exec":
        command = options.command[1:] if options.command[:1] == ["--"] else options.command
        code, output = hosts.execute(options.host, command or ["true"])
        sys.stdout.buffer.write(output)
        return code
    else:
        return _show(hosts)
    return 0


def _show(hosts: LabHosts) -> int:
    whole = True
    for status in hosts.status():
        remarks = [word for word, holds in (("cut off", status.cut), ("outdated", status.outdated)) if holds]
        whole &= status.state == "running" and not remarks
        print(f"{status.host.name:12} {status.host.address:16} {status.state}{''.join(f', {word}' for word in remarks)}")
    return 0 if whole else 1


if __name__ == "__main__":
    sys.exit(main())
