"""Judges what a venue said about a key against what the caller demands: pass, fail or undecided. Pure.

Known trouble is a problem (fail). What the venue did not say is a reason for undecided, never for pass. Fail wins over
undecided in the word, both are listed.
"""

from __future__ import annotations

import ipaddress
from datetime import datetime, timedelta
from typing import List, NamedTuple, Optional, Sequence, Tuple, Union

from ..canonical import utc
from ..errors import GoliveError
from .model import RIGHTS, KeyReport
from .outcome import Outcome, age_days, days_left, granted

MATCHES = ("exact", "subset", "restricted")
Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]


class Demands(NamedTuple):
    """What the caller wants. `allow` None: any right; [] none. Names in require and forbid may be the venue's own."""

    allow: Optional[Tuple[str, ...]] = ("read", "trade")
    require: Tuple[str, ...] = ()
    forbid: Tuple[str, ...] = ()
    ip_match: str = ""  # "" not judged, or one of MATCHES
    ip_addresses: Tuple[str, ...] = ()  # addresses or networks for exact and subset
    max_age_days: Optional[float] = None
    min_days_left: Optional[float] = None
    max_report_age_s: float = 3600  # older reports are undecided: rights change at the venue's console

    def checked(self, vocabulary: Sequence[str], compared_later: bool = False) -> Demands:
        """Return self with addresses in normal form. Raises GoliveError for names and combinations that mean nothing."""
        for option, names, known in (
            ("allow", self.allow or (), RIGHTS),
            ("require", self.require, (*RIGHTS, *vocabulary)),
            ("forbid", self.forbid, (*RIGHTS, *vocabulary)),
        ):
            for name in names:
                if name not in known:
                    raise GoliveError("not a right", where=option, found=repr(name)[:60], expected="one of " + ", ".join(known))
        both = sorted(set(self.require) & set(self.forbid))
        if both:
            raise GoliveError("required and forbidden at once", where="require and forbid", found=", ".join(both))
        missing = sorted(
            name for name in set(self.require) & set(RIGHTS) if self.allow is not None and name not in self.allow and name != "cancel"
        )
        if missing:
            raise GoliveError("required but not allowed", where="require", found=", ".join(missing), todo="add it to allow")
        if self.ip_match and self.ip_match not in MATCHES:
            raise GoliveError(
                "not a way to compare", where="ip_allowlist.match", found=repr(self.ip_match)[:40], expected=", ".join(MATCHES)
            )
        if self.ip_match in ("exact", "subset") and not self.ip_addresses and not compared_later:
            raise GoliveError(
                "no address to compare with", where="ip_allowlist.addresses", todo="list the addresses that the bot's host is seen with"
            )
        return self._replace(ip_addresses=tuple(str(network(text)) for text in self.ip_addresses))


class Judgement(NamedTuple):
    """`verdict` is pass, fail or undecided; problems and undecided are sentences for a person."""

    verdict: str
    problems: List[str]
    undecided: List[str]


def network(text: str) -> Network:
    """Return an address or network. Raises GoliveError."""
    try:
        return ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        raise GoliveError(
            "not an address or network", where="ip_allowlist.addresses", found=repr(text)[:60], expected="192.0.2.7 or 2001:db8::/64"
        ) from None


def judge(outcome: Outcome, demands: Demands, now: datetime) -> Judgement:
    """Return the verdict over one outcome. `demands` must have been `checked`."""
    problems: List[str] = []
    unknown: List[str] = []
    if outcome.report is None:
        unknown.append(outcome.reason or "the venue gave no report")
    else:
        if now - outcome.as_of > timedelta(seconds=demands.max_report_age_s):
            unknown.append("the report is of %s, too old to be relied on; ask again" % utc(outcome.as_of))
        if outcome.mistaken:
            problems.append(outcome.mistaken)
        _judge_rights(outcome.report, demands, problems, unknown)
        _judge_ip(outcome.report, demands, problems, unknown)
        _judge_times(outcome.report, demands, now, problems, unknown)
        if outcome.report.active is False:
            problems.append("the venue says that the key is not active (locked, frozen or expired)")
    return Judgement("fail" if problems else "undecided" if unknown else "pass", problems, unknown)


def _judge_rights(report: KeyReport, demands: Demands, problems: List[str], unknown: List[str]) -> None:
    held = granted(report)
    silent = [name for name, value in report.rights.items() if value is None]
    for name in report.unrecognised:
        problems.append("the key holds a right that golive does not know: '%s'; recreate it without, or update golive" % name)
    if demands.allow is not None:
        for name in held:
            if name not in demands.allow:
                problems.append("the key may '%s'; recreate it at the venue without that right" % name)
        said = [name for name in silent if name not in demands.allow]
        if said:
            unknown.append("the venue does not say whether the key may: %s" % ", ".join(said))
    for name in demands.forbid:
        value = _holds(report, name)
        if value and not (demands.allow is not None and name in held and name not in demands.allow):
            problems.append(
                "the key may '%s', which is forbidden%s"
                % (
                    name,
                    "; this venue gives it with another right and cannot switch it off"
                    if name in report.inseparable
                    else "; recreate it at the venue without that right",
                )
            )
        elif value is None and (demands.allow is None or name in demands.allow or name not in RIGHTS):
            unknown.append("the venue does not say whether the key may: %s" % name)
    for name in demands.require:
        value = _holds(report, name)
        if value is False:
            problems.append("the key may not '%s', which is required; recreate it at the venue with that right" % name)
        elif value is None:
            unknown.append("the venue does not say whether the key may: %s" % name)


def _holds(report: KeyReport, name: str) -> Optional[bool]:
    if name in RIGHTS:
        return report.rights.get(name)
    if name in report.native:
        return True
    return None if report.unrecognised else False


def _judge_ip(report: KeyReport, demands: Demands, problems: List[str], unknown: List[str]) -> None:
    if not demands.ip_match:
        return
    if report.ip.state == "open":
        problems.append("the key may be used from every address; restrict it at the venue to the bot's egress addresses")
        return
    if report.ip.state == "unknown":
        unknown.append("the venue does not say from which addresses the key may be used")
        return
    if demands.ip_match == "restricted":
        return
    if report.ip.state == "restricted":
        unknown.append("the venue says only that the key is bound to addresses, not to which; look at its console")
        return
    wanted = {network(text) for text in demands.ip_addresses}
    found = {network(text) for text in report.ip.entries}
    wider = sorted(str(entry) for entry in found if not any(_within(entry, other) for other in wanted))
    if wider:
        problems.append("the key may also be used from %s; take it off the list at the venue" % ", ".join(wider))
    if demands.ip_match == "exact":
        narrower = sorted(str(entry) for entry in wanted if not any(_within(entry, other) for other in found))
        if narrower:
            problems.append("the key may not be used from %s, which is demanded; add it at the venue" % ", ".join(narrower))
        if not wider and not narrower and found != wanted:
            problems.append("the key's address list covers the demanded one but is not the same: %s" % ", ".join(report.ip.entries))


def _within(inner: Network, outer: Network) -> bool:
    return inner.version == outer.version and inner.subnet_of(outer)  # type: ignore[arg-type]


def _judge_times(report: KeyReport, demands: Demands, now: datetime, problems: List[str], unknown: List[str]) -> None:
    left = days_left(report, now)
    if left is not None and left <= 0:
        problems.append("the key expired on %s" % utc(report.expires if isinstance(report.expires, datetime) else now))
    elif demands.min_days_left is not None:
        if left is None:
            unknown.append("the venue does not say when the key expires")
        elif left < demands.min_days_left:
            problems.append(
                "the key expires in %s days, demanded are at least %s; replace it before" % (_number(left), _number(demands.min_days_left))
            )
    if demands.max_age_days is not None:
        age = age_days(report, now)
        if age is None:
            unknown.append(
                "the venue does not say when the key was made"
                if report.created is None
                else "the venue says that the key was made in the future; check this host's clock"
            )
        elif age > demands.max_age_days:
            problems.append("the key is %s days old, demanded are at most %s; replace it" % (_number(age), _number(demands.max_age_days)))


def _number(value: float) -> str:
    return ("%.2f" % value).rstrip("0").rstrip(".")
