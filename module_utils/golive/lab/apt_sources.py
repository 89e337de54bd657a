"""Which Debian mirror does this machine use?

`GOLIVE_DEBIAN_MIRROR` if somebody set it, else what the machine's own apt sources say, because in a closed network that is the mirror
which answers, else what its debootstrap was built to use (a machine with Ubuntu has no source of Debian).

Foreign sources (a cloud vendor's, Node's) come first often enough that "the first one found" is the wrong rule: an entry counts as a
Debian mirror only when its suite is a Debian release and its components are Debian's.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from .errors import LabError

VARIABLE = "GOLIVE_DEBIAN_MIRROR"
DEBOOTSTRAP = Path("/usr/sbin/debootstrap")

_DEBIAN_SUITES = frozenset(
    {"bullseye", "bookworm", "trixie", "forky", "sid", "oldoldstable", "oldstable", "stable", "testing", "unstable"}
)
_ONE_LINE = re.compile(r"^deb\s+(?:\[(?P<options>[^\]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)(?P<components>(?:\s+\S+)*)\s*$")
_BUILT_IN = re.compile(r"""^DEF_MIRROR=["']?(?P<uri>https?://[^"'\s]+)""", re.MULTILINE)
_FETCHED = ("http://", "https://")
_LISTED = "mirror+file:"  # Debian's cloud images: the URI names a file that lists mirrors


@dataclass(frozen=True)
class Source:
    """One apt source: where from, which suites, which components."""

    uri: str
    suites: tuple[str, ...]
    components: tuple[str, ...]

    @property
    def is_debian(self) -> bool:
        """True for a mirror of Debian itself, as opposed to its security archive or somebody else's repository."""
        return (
            self.uri.startswith((*_FETCHED, _LISTED))
            and any(suite in _DEBIAN_SUITES for suite in self.suites)
            and "main" in self.components
            and not self.uri.rstrip("/").endswith("-security")
        )


def parse_one_line(text: str) -> Iterator[Source]:
    """Sources of a `sources.list` file. Lines that are not understood are passed over, as apt is the judge of them."""
    for line in text.splitlines():
        match = _ONE_LINE.match(line.split("#", 1)[0].strip())
        if match:
            yield Source(match["uri"], (match["suite"],), tuple(match["components"].split()))


def parse_deb822(text: str) -> Iterator[Source]:
    """Sources of a `.sources` file (deb822): one per URI of each enabled `deb` stanza."""
    for stanza in re.split(r"\n\s*\n", text):
        fields: dict[str, str] = {}
        name = ""
        for line in stanza.splitlines():
            if line.startswith("#"):
                continue
            if line[:1].isspace():
                fields[name] = f"{fields.get(name, '')} {line.strip()}"
            elif ":" in line:
                name, value = line.split(":", 1)
                name = name.strip().lower()
                fields[name] = value.strip()
        if fields.get("enabled", "yes").lower() == "no" or "deb" not in fields.get("types", "").split():
            continue
        for uri in fields.get("uris", "").split():
            yield Source(uri, tuple(fields.get("suites", "").split()), tuple(fields.get("components", "").split()))


def read_sources(files: Iterable[Path]) -> list[Source]:
    """All sources in `files`, in the order given; unreadable files are passed over (apt could not read them either)."""
    found: list[Source] = []
    for path in files:
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        found.extend(parse_deb822(text) if path.suffix == ".sources" else parse_one_line(text))
    return found


def machine_files(etc: Path = Path("/etc/apt")) -> list[Path]:
    """The files apt reads, in apt's order: `sources.list`, then `sources.list.d` by name."""
    more = sorted((etc / "sources.list.d").glob("*")) if (etc / "sources.list.d").is_dir() else []
    return [etc / "sources.list", *(path for path in more if path.suffix in {".list", ".sources"})]


def mirror_of_this_machine(environment: Mapping[str, str] = os.environ, program: Path = DEBOOTSTRAP) -> str:
    """The mirror to build from. Raises LabError where this machine names none."""
    return (environment.get(VARIABLE, "").rstrip("/") or debian_mirror(read_sources(machine_files())) or mirror_of_debootstrap(program))


def mirror_of_debootstrap(program: Path) -> str:
    """The mirror that this machine's debootstrap takes if nobody names one. Raises LabError if it does not say."""
    try:
        found = _BUILT_IN.search(program.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        found = None
    if found is None:
        raise LabError("this machine knows no mirror of Debian", where=str(program), expected="an apt source of Debian, or its own",
                       todo=f"set {VARIABLE} to the address of one")
    return found["uri"].rstrip("/")


def debian_mirror(sources: Iterable[Source]) -> str | None:
    """The first source that is a mirror of Debian; None on a machine that has none (Ubuntu)."""
    for source in sources:
        if source.is_debian:
            uri = _first_listed(source.uri) if source.uri.startswith(_LISTED) else source.uri
            if uri:
                return uri.rstrip("/")
    return None


def _first_listed(uri: str) -> str:
    """The first mirror in the file that a `mirror+file:` URI names, "" if it cannot be read or lists none."""
    path = Path("/" + uri.removeprefix(_LISTED).lstrip("/"))
    try:
        words = (line.split("#", 1)[0].split() for line in path.read_text(encoding="utf-8").splitlines())
    except OSError:
        return ""
    return next((word[0] for word in words if word and word[0].startswith(_FETCHED)), "")
