"""The emergency page sends its reader to a playbook that is not there."""
from __future__ import annotations

from .harness.source_breaks import committed

TRIALS = (committed("docs/emergency.md", "\nThen run `playbooks/operate/stop_everything.yml`.\n", "docs.procedure_current",
                    sign="stop_everything", append=True),)
