"""Ask a program of the host whether a new content is acceptable, before it is written, in dry runs too."""
from __future__ import annotations

import os
import shutil
import tempfile
from typing import Optional, Sequence

from ..errors import GoliveError
from .system import System


def refused(system: System, argv: Sequence[str], data: bytes, secret: bool = False) -> Optional[str]:
    """Return None if the program accepts the content, else one sentence with its words (none for a secret content).

    `%s` in argv stands for a private copy in /run (memory, not disk). A program that is not installed yet says nothing:
    on a bare host the dry run comes before the package; the real run asks again.
    """
    if not any("%s" in word for word in argv):
        raise GoliveError("validate names no file", found=" ".join(argv), expected="%s in one of the words")
    if not system.has(argv[0]):
        return None
    base = system.path("/run")
    place = tempfile.mkdtemp(prefix="golive-validate-", dir=base if os.path.isdir(base) else None)
    try:
        copy = os.path.join(place, "content")
        with open(os.open(copy, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as handle:
            handle.write(data)
        done = system.run([word.replace("%s", copy) for word in argv], timeout=60)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    if done.rc == 0:
        return None
    words = "its words are withheld, the content is secret" if secret else done.words().replace(copy, "the new content")
    return str(GoliveError("%s refuses the new content" % argv[0], found=words, todo="correct the variables it is rendered from"))
