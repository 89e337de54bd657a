"""The store shows a certificate that has expired, signed by the right authority for the right key."""
from __future__ import annotations

import datetime
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from .harness.fault import UNDECIDED, Fault, NotTaken, red
from .harness.lab import Lab

PATH = "/etc/golive/tls/vault.crt"
REOPEN = "systemctl kill --signal=HUP --kill-whom=main vault.service"


def _break(world: Lab) -> None:
    world.value("vault:self#token")
    world.kept["certificate"] = world.read("vault", PATH)
    shown = x509.load_pem_x509_certificate(world.kept["certificate"])
    key = serialization.load_pem_private_key(world.ca.with_suffix(".key").read_bytes(), None)
    authority = x509.load_pem_x509_certificate(world.ca.read_bytes())
    past = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=5)
    made = x509.CertificateBuilder(authority.subject, shown.subject, shown.public_key(), x509.random_serial_number(),
                                   authority.not_valid_before_utc, past, list(shown.extensions))
    expired = made.sign(key, hashes.SHA256())  # type: ignore[arg-type]
    _lay(world, expired.public_bytes(serialization.Encoding.PEM))


def _lay(world: Lab, data: bytes) -> None:
    world.on("vault", f"cat > {PATH} && {REOPEN}", data=data)


def _confirm(world: Lab) -> str:
    pem = ssl.get_server_certificate((world.addresses["vault"], 8200))
    ends = x509.load_pem_x509_certificate(pem.encode()).not_valid_after_utc
    if ends > datetime.datetime.now(datetime.UTC):
        raise NotTaken(f"what is shown ends at {ends}")
    return f"what the store shows ended at {ends:%H:%M} UTC"


def _heal(world: Lab) -> None:
    _lay(world, world.kept.pop("certificate"))


TRIALS = (Fault("lab", "store", red("secrets.audit_and_unseal", verdict=UNDECIDED), _break, _confirm, _heal,
                also=red("secrets.strength", "secrets.least_privilege", "secrets.default_logins_refused", verdict=UNDECIDED),
                settle_s=20, order=4),)
