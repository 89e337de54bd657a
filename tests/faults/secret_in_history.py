"""A secret was committed and taken out again by the next commit: the history still holds it."""
from __future__ import annotations

import base64
import hashlib

from .harness import controller
from .harness.controller import Controller
from .harness.fault import Fault, NotTaken, red
from .harness.source_breaks import CI
from .harness.world import run

PATH = "molecule/lab/bots/kraken_micro/local_settings.py"
# Looks like a venue's secret (64 random bytes in base64), derived here so that no scanner finds it in this repository.
SECRET = base64.b64encode(hashlib.sha512(b"golive red proof").digest()).decode()


def _break(world: Controller) -> None:
    world.commit_file(PATH, f'KRAKEN_API_SECRET = "{SECRET}"\n')
    world.commit_file(PATH, "KRAKEN_API_SECRET = None\n")


def _confirm(world: Controller) -> str:
    if SECRET in (world.root / PATH).read_text() or SECRET not in run("git", "log", "-p", "--", PATH, cwd=world.root):
        raise NotTaken("git log -p does not show the secret, or the file still holds it")
    return "git log -p shows it, the file at HEAD does not"


# No scanner knows a secret of the store by its form once it is spelled in hex; its keyed hashes do.
HELD = "molecule/lab/bots/kraken_micro/TRACE.md"
SPELLED = controller.SECRET["secret"].encode().hex()


def _break_store(world: Controller) -> None:
    world.commit_file(HELD, f"trace {SPELLED}\n")
    world.commit_file(HELD, "nothing\n")


def _confirm_store(world: Controller) -> str:
    if SPELLED in (world.root / HELD).read_text() or SPELLED not in run("git", "log", "-p", "--", HELD, cwd=world.root):
        raise NotTaken("git log -p does not show the secret, or the file still holds it")
    return "git log -p shows it in hex, the file at HEAD does not"


TRIALS = (
    Fault("controller", "source", red("repo.no_secrets"), _break, _confirm, lambda world: world.back_to_first(),
          also=red(*CI, verdict="undecided")),
    Fault("controller", "source", red("repo.no_secrets@store"), _break_store, _confirm_store, lambda world: world.back_to_first(),
          beside=("repo.no_secrets",), also=red(*CI, verdict="undecided")),
)
