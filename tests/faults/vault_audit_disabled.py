"""The store writes no audit log."""
from __future__ import annotations

from .harness.fault import Fault, red
from .harness.store_breaks import audit_off, audit_on, no_devices

TRIALS = (
    Fault("lab", "store", red("secrets.audit_and_unseal"), audit_off, no_devices, audit_on, settle_s=30, order=4),
)
