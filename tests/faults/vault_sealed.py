"""The store is sealed, as it is after every restart of its host."""
from __future__ import annotations

from .harness.fault import Fault, red
from .harness.lab import Lab
from .harness.store_breaks import seal_state, unseal


def _break(world: Lab) -> None:
    world.value("vault:self#token")  # what asks about the store has logged in before
    world.on("vault", "systemctl restart vault; for i in $(seq 60); do ss -ltn | grep -q :8200 && break; sleep 0.5; done")


TRIALS = (
    Fault("lab", "store", red("secrets.audit_and_unseal"), _break, seal_state, unseal, settle_s=30, order=4,
          unwatched=("secrets.strength", "secrets.least_privilege", "secrets.default_logins_refused")),
)
