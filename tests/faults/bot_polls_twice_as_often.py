"""The bot asks more often than the venue's rate limit lets it: the counter fills up and the venue refuses."""
from __future__ import annotations

from .harness.fault import NotTaken
from .harness.lab import Lab
from .harness.venue_breaks import Client, bad_requests

MOST = 1000  # the rehearsal's own counter holds 200 and falls by ten a second


def _send(_world: Lab, client: Client) -> None:
    for _ in range(MOST):
        if any("Rate limit" in word for word in client.call("Balance")["error"]):
            return
    raise NotTaken(f"the venue took {MOST} requests without a word")


TRIALS = (bad_requests("rate_budget", _send, "exchange.rate_budget"),)
