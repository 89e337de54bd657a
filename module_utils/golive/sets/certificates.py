"""certificates: key pairs that are made on the host and certified by an authority on the controller, renewed before they end.

The private key never leaves the host and the authority's key never leaves the controller: only public keys and certificates travel.
"""
from __future__ import annotations

import os
import re
from datetime import datetime, timedelta, timezone
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence

from ..canonical import digest, parse_utc, utc
from ..errors import GoliveError
from . import atomic, core
from .core import Change, Decision, WantedSet
from .path_state import PathState, look_at
from .system import System

BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
_BEGIN = re.compile(r"notBefore=(.+)")
_END = re.compile(r"notAfter=(.+)")
BACKDATED = timedelta(minutes=5)    # as the authority does it (authority.py, which a host cannot import)
_NAME = re.compile(r"(?:DNS|IP Address):([^,\s]+)")
_ONE = re.compile(r"-----BEGIN CERTIFICATE-----\n(?:[A-Za-z0-9+/=]+\n)+-----END CERTIFICATE-----\n")


class Pair(NamedTuple):
    """What is found at the place of a certificate: why it has to be replaced (None: it need not), and who owns the two files."""

    reason: Optional[str]
    certificate: Optional[PathState]
    key: Optional[PathState]


class Certificates(WantedSet):
    """Wanted certificates `{certificate, key, names, owner, group}` of one authority, and where that authority is trusted."""

    def __init__(self, system: System, authority: str, certificates: Sequence[Mapping[str, Any]], trust: Sequence[str],
                 renew_before_s: int, signed: Mapping[str, str], renew_made_before: str = "") -> None:
        self.system, self.authority = system, authority.strip() + "\n" if authority else ""
        self.certificates, self.trust, self.renew_before_s, self.signed = list(certificates), list(trust), renew_before_s, dict(signed)
        self.made_before = parse_utc(renew_made_before) if renew_made_before else None
        self.by = "by %s" % digest(self.authority.encode())[7:23] if self.authority else "by an authority that is still to be made"

    def current(self) -> Dict[str, Any]:
        """Look at each pair with openssl, and at the trust store."""
        return {"pairs": {str(wanted["certificate"]): self._look(wanted) for wanted in self.certificates},
                "trusted": {path: self._trusted(path) for path in self.trust}}

    def decide(self, current: Mapping[str, Any]) -> Decision:
        """Replace what is absent, foreign, wrong or about to end; else keep owner and mode."""
        changes = [Change("trust:%s" % path, "create" if found is None else "update", found, self.by)
                   for path, found in current["trusted"].items() if found != self.by]
        for wanted in self.certificates:
            pair: Pair = current["pairs"][str(wanted["certificate"])]
            name, after = "certificate:%s" % wanted["certificate"], "%s %s" % (" ".join(sorted(wanted["names"])), self.by)
            if pair.reason is not None:
                changes.append(Change(name, "create" if pair.certificate is None else "renew", pair.reason, after))
            elif not _owned(pair.key, wanted, 0o640) or not _owned(pair.certificate, wanted, 0o644):
                changes.append(Change(name, "update", "owner or mode differ", after))
        return Decision(changes, [])

    def needs(self, decision: Decision) -> List[Any]:
        """Return the public keys that the authority has to certify before `act`; their private halves wait on the host."""
        needed = []
        for change in decision.changes:
            path = change.object.partition(":")[2]
            if change.object.startswith("certificate:") and change.op in ("create", "renew") and path not in self.signed:
                needed.append({"certificate": path, "public_key": self._new_key(self._wanted(path))})
        return needed

    def act(self, decision: Decision) -> Iterator[Change]:
        """Put authority, keys and certificates in place."""
        for change in decision.changes:
            kind, _, path = change.object.partition(":")
            if kind == "trust":
                self._trust(path)
            else:
                wanted = self._wanted(path)
                if change.op in ("create", "renew"):
                    self._install(wanted, self.signed[path])
                else:
                    for place, mode in ((str(wanted["key"]), 0o640), (path, 0o644)):
                        os.chown(self.system.path(place), *self._ids(wanted))
                        os.chmod(self.system.path(place), mode)
            yield change

    def _wanted(self, path: str) -> Mapping[str, Any]:
        return next(wanted for wanted in self.certificates if wanted["certificate"] == path)

    def _look(self, wanted: Mapping[str, Any]) -> Pair:
        certificate, key = (look_at(self.system, str(wanted[which]), wants_digest=False) for which in ("certificate", "key"))
        reason = self._reason(wanted, certificate, key)
        return Pair(reason, certificate, key)

    def _reason(self, wanted: Mapping[str, Any], certificate: Optional[PathState], key: Optional[PathState]) -> Optional[str]:
        """Return why this pair has to be replaced."""
        if certificate is None or key is None:
            return "absent" if certificate is None else "its key is absent"
        if "link" in (certificate.kind, key.kind):      # owner and mode of a link say nothing, and setting them would follow it
            return "it is a link" if certificate.kind == "link" else "its key is a link"
        if not self.system.has("openssl"):
            return "openssl is not there to read it"
        asked = ("-noout", "-startdate", "-enddate", "-ext", "subjectAltName", "-pubkey")
        shown = self._openssl("x509", "-in", str(wanted["certificate"]), *asked)
        end = _END.search(shown or "")
        if shown is None or end is None:
            return "it cannot be read"
        return self._reason_in(wanted, shown, end.group(1).strip())

    def _reason_in(self, wanted: Mapping[str, Any], shown: str, end: str) -> Optional[str]:
        """Return why a readable certificate has to be replaced."""
        left = _time(end) - datetime.now(timezone.utc)
        names = _NAME.findall(shown)
        public = self._openssl("pkey", "-in", str(wanted["key"]), "-pubout")
        if public is None or public.strip() not in shown:
            return "its key is another one"
        if sorted(names) != sorted(str(name) for name in wanted["names"]):
            return "its names are %s" % " ".join(sorted(names))
        foreign = self._not_as_issued(str(wanted["certificate"]))
        if foreign is not None:
            return foreign
        begin = _BEGIN.search(shown)
        if self.made_before is not None and (begin is None or _time(begin.group(1).strip()) + BACKDATED < self.made_before):
            return "it was made before %s" % utc(self.made_before)
        return "it ends at %s" % end if left < timedelta(seconds=self.renew_before_s) else None

    def _not_as_issued(self, path: str) -> Optional[str]:
        """Return why a file is not what `_install` wrote: one certificate that our authority signed, then our authority, and no word more.

        openssl reads the first certificate alone and checks no signature by that, whatever else the file would hand to a client.
        """
        text = self.system.read(path) or ""
        if self.authority == "" or self.authority not in text:
            return "it is from another authority"
        if not text.endswith(self.authority) or _ONE.fullmatch(text[:-len(self.authority)]) is None:
            return "it holds more than was issued"
        if self._openssl("verify", "-no_check_time", "-CAfile", path, path) is None:
            return "its authority did not sign it"
        return None

    def _openssl(self, *words: str) -> Optional[str]:
        argv = [self.system.path(word) if word.startswith("/") else word for word in words]
        done = self.system.run(["openssl", *argv])
        return done.stdout if done.rc == 0 else None

    def _new_key(self, wanted: Mapping[str, Any]) -> str:
        """Make the next key, or find the one that a killed run made, and return its public half."""
        path = str(wanted["key"]) + ".next"
        directory = os.path.dirname(self.system.path(path))
        if not os.path.isdir(directory):
            raise GoliveError("the directory above does not exist", where=path, todo="make it with managed_files first")
        if self._openssl("pkey", "-in", path, "-pubout") is None:
            made = self.system.must(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"])
            atomic.write_file(self.system.path(path), made.stdout.encode(), mode=0o600)
        return self._openssl("pkey", "-in", path, "-pubout") or ""

    def _ids(self, wanted: Mapping[str, Any]) -> List[int]:
        users, groups = self.system.users(), self.system.groups()
        owner, group = str(wanted["owner"]), str(wanted.get("group") or wanted["owner"])
        if owner not in users or group not in groups:
            raise GoliveError("the owner or group does not exist", where=str(wanted["certificate"]), found="%s:%s" % (owner, group),
                              todo="create it with accounts before")
        return [users[owner].uid, groups[group].gid]

    def _install(self, wanted: Mapping[str, Any], signed: str) -> None:
        """Rename key, then certificate. A crash in between leaves a pair that does not match, which the next run replaces."""
        key, certificate, ids = self.system.path(str(wanted["key"])), self.system.path(str(wanted["certificate"])), self._ids(wanted)
        text = signed.strip() + "\n" + self.authority
        os.chown(key + ".next", *ids)
        os.chmod(key + ".next", 0o640)
        os.replace(key + ".next", key)
        atomic.write_file(certificate, text.encode(), mode=0o644, uid=ids[0], gid=ids[1])

    def _trusted(self, path: str) -> Optional[str]:
        """Return who is trusted at a place: the file is this authority, and the bundle that programs read holds it."""
        text = self.system.read(path)
        if text is None:
            return None
        return self.by if text == self.authority and self.authority in (self.system.read(BUNDLE) or "") else "another authority"

    def _trust(self, path: str) -> None:
        atomic.write_file(self.system.path(path), self.authority.encode(), mode=0o644)
        self.system.must(["update-ca-certificates", "--fresh"])


def _owned(state: Optional[PathState], wanted: Mapping[str, Any], mode: int) -> bool:
    group = str(wanted.get("group") or wanted["owner"])
    return state is not None and (state.owner, state.group, state.mode) == (wanted["owner"], group, mode)


def _time(shown: str) -> datetime:
    """Return a moment as openssl writes it."""
    return datetime.strptime(shown, "%b %d %H:%M:%S %Y %Z").replace(tzinfo=timezone.utc)


def perform(given: Mapping[str, Any], dry: bool) -> Dict[str, Any]:
    """Carry out what plugins/action/certificates.py sends; see core.perform."""
    return core.perform(lambda: Certificates(System(), given["authority"], given["certificates"], given["trust"], given["renew_before_s"],
                                             given["signed"], given["renew_made_before"]), given, dry)
