"""Drop-ins of a managed unit: golive's own are told by their name, all others are somebody else's hand on what was reviewed."""
from __future__ import annotations

import fnmatch
import os
from typing import List, Sequence

from .system import System

OWN = "*golive*.conf"
#: where a person, `systemctl edit` and `systemctl set-property` put drop-ins; those of vendor and generators are not read
PLACES = ("/etc/systemd/system", "/run/systemd/system", "/etc/systemd/system.control", "/run/systemd/system.control")


def foreign(system: System, unit: str, keep: Sequence[str] = ()) -> List[str]:
    """Return the drop-ins of exactly this unit that are neither golive's nor named in `keep` (patterns of file names), sorted."""
    found = []
    for place in PLACES:
        folder = "%s/%s.d" % (place, unit)
        try:
            names = os.listdir(system.path(folder))
        except (FileNotFoundError, NotADirectoryError):
            continue
        found += ["%s/%s" % (folder, name) for name in names if name.endswith(".conf")
                  and not any(fnmatch.fnmatchcase(name, pattern) for pattern in (OWN, *keep))]
    return sorted(found)
