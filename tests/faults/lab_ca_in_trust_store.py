"""The process was started with an authority and a proxy of somebody else."""
from __future__ import annotations

from .harness.bot_breaks import started_with

TRIALS = (
    started_with("shadow", "Environment=SSL_CERT_FILE=/usr/local/share/ca-certificates/golive-lab.crt",
                 "systemctl show -p Environment bot-shadow", "SSL_CERT_FILE", "host.trusts_no_lab_ca", order=6),
    started_with("wire", "Environment=https_proxy=http://127.0.0.1:9",
                 "systemctl show -p Environment bot-wire", "https_proxy", "host.trusts_no_lab_ca"),
)
