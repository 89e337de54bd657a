"""The lock holds a distribution without a hash."""
from __future__ import annotations

from .harness.source_breaks import committed

TRIALS = (committed("uv.lock", '\n[[package]]\nname = "typosquat"\nversion = "1.0"\nsource = { registry = "https://pypi.org/simple" }\n'
                    'wheels = [\n    { url = "https://files.example/typosquat-1.0.whl" },\n]\n', "deps.hash_locked", sign="typosquat",
                    append=True),)
