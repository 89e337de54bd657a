"""A line of the hosts file leads the venue's name elsewhere."""
from __future__ import annotations

from .harness.host_breaks import on_host

TRIALS = (
    on_host(
        "bot", "file",
        "cp /etc/hosts /run/golive-fault-hosts; grep -o 'https://[0-9.]*' /etc/bot/wire.json | head -1 | sed "
        "'s#https://#127.0.0.1 #' >> /etc/hosts",
        "tail -1 /etc/hosts", "^127.0.0.1 [0-9]+", "cat /run/golive-fault-hosts > /etc/hosts", "exchange.endpoint_genuine",
        "network.name_service",
    ),
)
