"""What a running unit loaded: written by the unit itself at each start, compared with the disk in each run.

A drop-in adds one command before the start of a service, run by systemd for every start whoever asked for it (golive, a reboot,
`Restart=`, a person): it writes the invocation and the sha256 of the watched files to /run. The record is made just before
the process reads its files, so a change in between shows as a difference: the error is always an extra restart, never a lost one.
Kinds of units other than services load no files; of them only the own definition matters, and systemd itself knows when it is old.
"""
from __future__ import annotations

import contextlib
import glob
import hashlib
import os
import shlex
from typing import Any, Dict, List, Mapping, Optional, Sequence

from . import atomic
from .foreseen import Foreseen
from .system import System

PLACE = "/run/golive/units"
DROP_IN = "50-golive-loaded.conf"


def drop_in_path(unit: str) -> str:
    """Return where the drop-in of a unit lies."""
    return "/etc/systemd/system/%s.d/%s" % (unit, DROP_IN)


def own_files(unit: str) -> List[str]:
    """Return the definition of a unit as far as the host's owner (or golive) wrote it; the vendor's part is not watched."""
    return ["/etc/systemd/system/%s" % unit, "/etc/systemd/system/%s.d/*.conf" % unit, "/usr/local/lib/systemd/system/%s" % unit]


class Loaded:
    """The records of one host under /run/golive/units."""

    def __init__(self, system: System) -> None:
        self.system = system

    def drop_in(self, unit: str, paths: Sequence[str]) -> str:
        """Return the text of the drop-in. Patterns are expanded by the shell at each start."""
        words = " ".join(_shell_pattern(path) for path in [*paths, *own_files(unit)])
        script = ('mkdir -p %s && { echo "$INVOCATION_ID"; sha256sum -- %s 2>/dev/null; } > %s/%s.new; mv %s/%s.new %s/%s.loaded'
                  % (PLACE, words, PLACE, unit, PLACE, unit, PLACE, unit))
        quoted = script.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
        return ("# Written by golive (units). Notes what each start loads, so that a restart lost to a crash is seen and made up for.\n"
                '[Service]\nExecStartPre=-+/bin/sh -c "%s"\n' % quoted)

    def stale(self, unit: str, invocation: str, definition_is_old: bool, paths: Sequence[str],
              predicted: Sequence[Mapping[str, Any]] = ()) -> Optional[str]:
        """Return why the running unit is not running what is on disk (in a dry run: what will be there by then), None if it is."""
        owed = self.system.read("%s/%s.owed" % (PLACE, unit))
        if owed is not None:
            return owed.strip() or "a restart was cut off"
        if definition_is_old:
            return "its definition changed"
        if not paths:
            return None
        record = self.system.read("%s/%s.loaded" % (PLACE, unit))
        if record is None or record.splitlines()[:1] != [invocation]:
            return "its start is not recorded"
        then = parse(record)
        now = Foreseen(predicted, unit, then).over([*paths, *own_files(unit)], self.digests)
        changed = sorted(path for path in set(then) | set(now) if then.get(path) != now.get(path))
        return "%s %s" % (changed[0], "will change" if predicted else "changed") if changed else None

    def who_loaded(self, path: str, digest: str) -> List[str]:
        """Return the units whose last start loaded a file with this sha256 (hexadecimal), by their records; sorted."""
        records = [name for name in self.expand(["%s/*.loaded" % PLACE]) if parse(self.system.read(name) or "").get(path) == digest]
        return sorted(os.path.basename(name)[:-len(".loaded")] for name in records)

    def owe(self, unit: str, reason: str) -> None:
        """Note that a restart is due; it survives the death of this run, not a reboot (which loads everything anew)."""
        os.makedirs(self.system.path(PLACE), mode=0o755, exist_ok=True)
        atomic.write_file(self.system.path("%s/%s.owed" % (PLACE, unit)), reason.encode(), mode=0o644)

    def settle(self, unit: str) -> None:
        """Note that the unit was started with what is on disk."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.system.path("%s/%s.owed" % (PLACE, unit)))

    def digests(self, patterns: Sequence[str]) -> Dict[str, str]:
        """Return the sha256 of each file that exists now."""
        found = {}
        for path in self.expand(patterns):
            try:
                with open(self.system.path(path), "rb") as handle:
                    found[path] = hashlib.sha256(handle.read()).hexdigest()
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                continue
        return found

    def expand(self, patterns: Sequence[str]) -> List[str]:
        """Return the paths that the patterns mean now."""
        prefix = len(self.system.path("/")) - 1
        paths: List[str] = []
        for pattern in patterns:
            if glob.has_magic(pattern):
                paths += [path[prefix:] for path in sorted(glob.glob(self.system.path(pattern)))]
            else:
                paths.append(pattern)
        return list(dict.fromkeys(paths))


def parse(record: str) -> Dict[str, str]:
    """Read `invocation` and lines of sha256sum."""
    rows = [line.split("  ", 1) for line in record.splitlines()[1:]]
    return {row[1]: row[0] for row in rows if len(row) == 2}


def _shell_pattern(path: str) -> str:
    """Quote a path for the shell, but leave `*` and `?` alive."""
    return "".join(character if character in "*?" else shlex.quote(character) if not (character.isalnum() or character in "/._-+@:")
                   else character for character in path)
