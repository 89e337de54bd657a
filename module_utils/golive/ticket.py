"""The arming ticket and its verifier: may the live unit of this host run, and how?

One file, standard library only, Python 3.9 or newer. The controller imports it as `golive.ticket`; on the bot's host it is
`/usr/local/lib/golive/ticket.py` and the live unit asks it before every start (`ExecCondition=+... ticket.py check`).
It trusts what root placed there (`policy.json`, `allowed_signers`) and what people signed, never what the controller says.

Exit codes of `check`: 0 run (exit-only if `<runtime>/exit_only` exists afterwards), 1 refused, 255 could not tell: systemd
counts 255 as a failure and asks again by `Restart=on-failure`, while 1 means "skip the start".
Rules and reasons: docs/explanation/arming.md.
"""
from __future__ import annotations

import argparse
import base64
import binascii
import fcntl
import hashlib
import json
import os
import re
import shutil
import stat
import struct
import subprocess
import sys
import tempfile
from datetime import datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from typing import Any, Dict, Iterable, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple

NAMESPACE = "golive-arm"
ARM = "/etc/golive/arm"
PEOPLE = {"solo": 1, "pair": 2, "desk": 3}
LAB_PREFIX = "lab-"
FIELDS = {"format", "system", "host", "rehearsal", "venue", "release", "limits", "stage", "budget", "not_before", "expires", "nonce",
          "audit_head", "epoch", "key_fingerprint", "people"}
POLICY_FIELDS = {"format", "system", "host", "rehearsal", "venue", "people", "roles", "persons", "release_link", "config", "runtime",
                 "positions", "max_clock_offset_s"}
RUN, REFUSED, COULD_NOT_TELL = 0, 1, 255
_CAP = 64 * 1024
_UTC = "%Y-%m-%dT%H:%M:%SZ"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}\Z")
_NONCE = re.compile(r"[0-9a-f]{32}\Z")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")
_HEAD = re.compile(r"[0-9]{1,12}:sha256:[0-9a-f]{64}\Z")
_FINGERPRINT = re.compile(r"[0-9a-f]{16}\Z")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Refused(Exception):
    """No. `code` is one stable word for tests and counters, `str()` the sentence for people.

    `again` is true where the answer may change by itself (the venue is silent, the clock is not set): could not tell.
    """

    def __init__(self, code: str, text: str, again: bool = False) -> None:
        super().__init__(text)
        self.code, self.again = code, again


class Signer(NamedTuple):
    """One line of allowed_signers. `key` is `SHA256:...` as ssh-keygen -l prints it; times are UTC."""

    principal: str
    namespaces: Tuple[str, ...]
    valid_after: Optional[datetime]
    valid_before: datetime
    key: str
    line: str


class Signed(NamedTuple):
    """A signature that holds: whose, by which key, of which enrolled person with which roles."""

    principal: str
    key: str
    person: str
    roles: Tuple[str, ...]


class Position(NamedTuple):
    """What the venue said about open positions."""

    open: int


# --- one form of texts ----------------------------------------------------------------------------------------------

def encode(value: Any) -> bytes:
    """Return canonical JSON, the same bytes as `golive.canonical.encode`."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode("utf-8")


def digest(data: bytes) -> str:
    """Return `sha256:<64 hex>` over bytes."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def utc(moment: datetime) -> str:
    """Return a moment as `2026-11-21T10:15:00Z`."""
    return moment.astimezone(timezone.utc).strftime(_UTC)


def parse_utc(text: Any) -> Optional[datetime]:
    """Return the moment written as `2026-11-21T10:15:00Z`, or None for every other form."""
    try:
        moment = datetime.strptime(text, _UTC).replace(tzinfo=timezone.utc)
    except (TypeError, ValueError):
        return None
    return moment if utc(moment) == text else None


def parse_canonical(data: bytes, what: str) -> Dict[str, Any]:
    """Return the JSON object written in canonical form; any other spelling of the same content is refused."""
    try:
        value = json.loads(data.decode("utf-8"))
        same = isinstance(value, dict) and encode(value) == data
    except (ValueError, RecursionError):
        same = False
    if not same:
        raise Refused("malformed", "%s is not a JSON object in canonical form; it was changed or is not ours" % what)
    result: Dict[str, Any] = value
    return result


# --- keys and signatures --------------------------------------------------------------------------------------------

def parse_signers(data: bytes, rehearsal: bool, what: str = "allowed_signers") -> List[Signer]:
    """Return the enrolled keys. The form is stricter than OpenSSH's: every looseness would let one key stand for two people.

    One plain principal a line (no pattern, no list), `namespaces=` and `valid-before=` required, times in UTC with Z,
    no cert-authority, no key twice; `lab-` names only, and always, in a rehearsal.
    """
    signers: List[Signer] = []
    seen: Dict[str, str] = {}
    try:
        lines = data.decode("utf-8").split("\n")
    except UnicodeDecodeError:
        raise Refused("signers_file", "%s is not text" % what) from None
    for number, raw in enumerate(lines, start=1):
        if not raw.strip() or raw.lstrip().startswith("#"):
            continue
        if not (raw.isascii() and raw.isprintable()):
            raise Refused("signers_file", "%s line %d is not plain ASCII" % (what, number))
        signer = _parse_signer(raw.strip(), "%s line %d" % (what, number))
        if signer.principal.startswith(LAB_PREFIX) != rehearsal:
            raise Refused("lab_signed", "%s line %d enrols %s: keys of the lab are named lab-* and sign rehearsals only, all others sign "
                          "production only" % (what, number, signer.principal))
        if signer.key in seen:
            raise Refused("same_key", "%s enrols the key %s twice, for %s and for %s; one key is one person" % (
                what, signer.key, seen[signer.key], signer.principal))
        seen[signer.key] = signer.principal
        signers.append(signer)
    return signers


def _parse_signer(raw: str, where: str) -> Signer:
    match = re.match(r'(\S+) ((?:[a-z-]+(?:="[^"]*")?,?)+) ((?:ssh|ecdsa|sk)-[A-Za-z0-9@.-]+) ([A-Za-z0-9+/=]+)(?: .*)?\Z', raw)
    if match is None or _NAME.match(match.group(1)) is None:
        raise Refused("signers_file", '%s is not of the form: NAME namespaces="...",valid-before="YYYYMMDDZ" KEYTYPE KEY' % where)
    principal, option_text, key_type, key_text = match.groups()
    options: Dict[str, str] = {}
    for name, value in re.findall(r'([a-z-]+)(?:="([^"]*)")?', option_text):
        if name not in ("namespaces", "valid-after", "valid-before") or name in options:
            raise Refused("signers_file", "%s has the option %s, which golive does not accept" % (where, name))
        options[name] = value
    if not options.get("namespaces") or not options.get("valid-before"):
        raise Refused("signers_file", "%s lacks %s" % (where, "namespaces=" if not options.get("namespaces") else "valid-before="))
    namespaces = tuple(options["namespaces"].split(","))
    if any(re.match(r"golive-[a-z]+\Z", name) is None for name in namespaces):
        raise Refused("signers_file", "%s enrols for a namespace that is not one of golive's: %s" % (where, options["namespaces"]))
    blob = _decode64(key_text)
    if blob is None or _first_text(blob) != key_type:
        raise Refused("signers_file", "%s holds no readable public key" % where)
    before = _signer_time(options["valid-before"], where)
    after = _signer_time(options["valid-after"], where) if "valid-after" in options else None
    return Signer(principal, namespaces, after, before, key_name(blob), raw)


def _signer_time(text: str, where: str) -> datetime:
    for form in ("%Y%m%dZ", "%Y%m%d%H%M%SZ"):
        try:
            return datetime.strptime(text, form).replace(tzinfo=timezone.utc)
        except ValueError:
            continue
    raise Refused("signers_file", '%s has the time "%s"; write YYYYMMDDZ or YYYYMMDDHHMMSSZ (the Z means UTC)' % (where, text))


def key_name(blob: bytes) -> str:
    """Return the name of a public key as OpenSSH prints it: `SHA256:` and unpadded base64."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode("ascii").rstrip("=")


def parse_signature(data: bytes, what: str) -> Tuple[str, str]:
    """Return the key name and the namespace that an armoured OpenSSH signature claims (PROTOCOL.sshsig)."""
    match = re.match(rb"-----BEGIN SSH SIGNATURE-----\n([A-Za-z0-9+/=\n]+)\n-----END SSH SIGNATURE-----\n?\Z", data)
    blob = _decode64(match.group(1).replace(b"\n", b"").decode("ascii")) if match else None
    try:
        if blob is None or blob[:6] != b"SSHSIG" or struct.unpack(">I", blob[6:10])[0] != 1:
            raise ValueError
        key, rest = _string(blob[10:])
        namespace, _rest = _string(rest)
        return key_name(key), namespace.decode("ascii")
    except (ValueError, struct.error):
        raise Refused("malformed", "%s is not an OpenSSH signature" % what) from None


def _string(data: bytes) -> Tuple[bytes, bytes]:
    length = struct.unpack(">I", data[:4])[0]
    if length > len(data) - 4:
        raise ValueError("cut short")
    return data[4:4 + length], data[4 + length:]


def _first_text(blob: bytes) -> str:
    try:
        return _string(blob)[0].decode("ascii")
    except (ValueError, struct.error):
        return ""


def _decode64(text: str) -> Optional[bytes]:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def verify_signature(data: bytes, signature: bytes, principal: str, namespace: str, signers: Sequence[Signer], at: datetime,
                     what: str) -> str:
    """Return the name of the key with which `principal` signed `data` in `namespace`. Raises Refused, saying which rule.

    Our own reading gives the precise sentence; ssh-keygen, shown nothing but the one enrolled line, has the last word.
    """
    key, found_namespace = parse_signature(signature, "the signature of %s" % principal)
    if found_namespace != namespace:
        raise Refused("wrong_namespace", "%s signed %s for %s, not for %s" % (principal, what, found_namespace, namespace))
    if all(signer.principal != principal for signer in signers):
        raise Refused("unknown_signer", "%s is signed by %s, who is not enrolled" % (what, principal))
    owner = next((signer for signer in signers if signer.key == key), None)
    if owner is None:
        raise Refused("unknown_signer", "%s is signed as %s with the key %s, which is not enrolled" % (what, principal, key))
    if owner.principal != principal:
        raise Refused("same_key", "%s is signed as %s with the key of %s" % (what, principal, owner.principal))
    if namespace not in owner.namespaces:
        raise Refused("wrong_namespace", "the key of %s is enrolled for %s, not for %s" % (
            principal, ",".join(owner.namespaces), namespace))
    if owner.valid_after is not None and at < owner.valid_after:
        raise Refused("key_not_yet_valid", "the key of %s is valid from %s" % (principal, utc(owner.valid_after)))
    if at >= owner.valid_before:
        raise Refused("key_expired", "the key of %s expired at %s" % (principal, utc(owner.valid_before)))
    if not _keygen_verifies(data, signature, owner, namespace, at):
        raise Refused("changed_subject", "the signature of %s is not over this text: %s was changed after it was signed" % (
            principal, what))
    return key


def _keygen_verifies(data: bytes, signature: bytes, signer: Signer, namespace: str, at: datetime) -> bool:
    keygen = shutil.which("ssh-keygen", path="/usr/bin:/usr/local/bin:/bin:/opt/homebrew/bin")
    if keygen is None:
        raise Refused("no_keygen", "ssh-keygen is not installed, so no signature can be verified", again=True)
    with _Shown((signer.line + "\n").encode("ascii")) as signers_path, _Shown(signature) as signature_path:
        done = subprocess.run([keygen, "-Y", "verify", "-f", signers_path, "-I", signer.principal, "-n", namespace, "-s", signature_path,
                               "-Overify-time=" + at.astimezone(timezone.utc).strftime("%Y%m%d%H%M%SZ")], input=data,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False, timeout=30,
                              env={"PATH": _PATH, "LC_ALL": "C", "TZ": "UTC"})
    return done.returncode == 0


class _Shown:
    """Shows bytes to a child as a path, in memory where the system can: a full or read-only disk must not stop a verification."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._directory: Optional[str] = None
        self._handle = -1

    def __enter__(self) -> str:
        if hasattr(os, "memfd_create"):
            self._handle = os.memfd_create("golive")
            os.write(self._handle, self._data)
            return "/proc/%d/fd/%d" % (os.getpid(), self._handle)
        self._directory = tempfile.mkdtemp(prefix="golive-")
        path = os.path.join(self._directory, "shown")
        with open(path, "wb") as handle:
            handle.write(self._data)
        return path

    def __exit__(self, *_exc: object) -> None:
        if self._handle >= 0:
            os.close(self._handle)
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)


def verify_people(data: bytes, signatures: Mapping[str, bytes], namespace: str, signers: Sequence[Signer],
                  persons: Mapping[str, Mapping[str, Any]], at: datetime, what: str, rehearsal: bool) -> List[Signed]:
    """Return who signed. Every signature must hold, by distinct keys; one that does not hold spoils the whole set."""
    by_key: Dict[str, str] = {}
    result: List[Signed] = []
    for principal in sorted(signatures):
        if _NAME.match(principal) is None:
            raise Refused("malformed", "a signature has the name %r, which no enrolled person can have" % principal[:70])
        if principal.startswith(LAB_PREFIX) and not rehearsal:
            raise Refused("lab_signed", "%s is signed by %s: a key of the lab never signs for production" % (what, principal))
        key = parse_signature(signatures[principal], "the signature of %s" % principal)[0]
        if key in by_key:
            raise Refused("same_key", "%s is signed twice with the same key %s, as %s and as %s" % (what, key, by_key[key], principal))
        by_key[key] = principal
    for principal in sorted(signatures):
        key = verify_signature(data, signatures[principal], principal, namespace, signers, at, what)
        known = persons.get(principal)
        if known is None:
            raise Refused("wrong_role", "%s signed %s but has no entry in the roles file" % (principal, what))
        result.append(Signed(principal, key, str(known["person"]), tuple(known["roles"])))
    return result


def require_people(signed: Sequence[Signed], mode: str, roles: Sequence[str], what: str) -> None:
    """Refuse unless enough distinct persons signed and every asked role is held by a person of its own."""
    persons: Dict[str, Set[str]] = {}
    for one in signed:
        persons.setdefault(one.person, set()).update(one.roles)
    needed = max(PEOPLE[mode], len(roles))
    if len(persons) < needed:
        keys = "" if len(signed) == len(persons) else " (%d keys, enrolled as %s)" % (len(signed), " and ".join(sorted(persons)))
        raise Refused("too_few", "%s is signed by %d of the %d people that %r asks for%s" % (what, len(persons), needed, mode, keys))
    if not _assign(list(roles), persons):
        held = "; ".join("%s (%s)" % (one.principal, ", ".join(one.roles) or "no role") for one in signed)
        raise Refused("wrong_role", "%s needs the roles %s, each by a person of its own; signed by %s" % (what, ", ".join(roles), held))


def _assign(roles: List[str], persons: Mapping[str, Set[str]]) -> bool:
    if not roles:
        return True
    return any(roles[0] in held and _assign(roles[1:], {name: other for name, other in persons.items() if name != person})
               for person, held in persons.items())


# --- the ticket and the policy of a host ----------------------------------------------------------------------------

def parse_ticket(data: bytes) -> Dict[str, Any]:
    """Return a ticket whose every field has the one form it may have. Raises Refused("malformed")."""
    ticket = parse_canonical(data, "the ticket")
    if set(ticket) != FIELDS:
        odd = sorted(FIELDS ^ set(ticket))
        raise Refused("malformed", "the ticket has missing or unknown fields: %s" % ", ".join(odd)[:200])
    texts = all(isinstance(ticket[name], str) and _NAME.match(ticket[name]) for name in ("system", "host", "venue"))
    not_before, expires = parse_utc(ticket["not_before"]), parse_utc(ticket["expires"])
    release, limits, budget = ticket["release"], ticket["limits"], ticket["budget"]
    checks = {
        "format": ticket["format"] == 1 and type(ticket["format"]) is int, "system, host, venue": texts,
        "rehearsal": isinstance(ticket["rehearsal"], bool),
        "release": isinstance(release, dict) and {"artifact", "tree", "config"} <= set(release) and all(map(_is_digest, release.values())),
        "limits": isinstance(limits, dict) and bool(limits) and all(_is_limit(value) for value in limits.values()),
        "stage": isinstance(ticket["stage"], str) and _NAME.match(ticket["stage"]) is not None,
        "budget": isinstance(budget, dict) and set(budget) == {"loss", "deadline", "sample"} and _decimal(budget["loss"]) is not None
                  and isinstance(budget["loss"], str) and parse_utc(budget["deadline"]) is not None and isinstance(budget["sample"], dict)
                  and all(type(count) is int and count >= 0 for count in budget["sample"].values()),
        "not_before, expires": not_before is not None and expires is not None and not_before < expires,
        "nonce": isinstance(ticket["nonce"], str) and _NONCE.match(ticket["nonce"]) is not None,
        "audit_head": isinstance(ticket["audit_head"], str) and _HEAD.match(ticket["audit_head"]) is not None,
        "epoch": type(ticket["epoch"]) is int and ticket["epoch"] >= 0,
        "key_fingerprint": isinstance(ticket["key_fingerprint"], str) and _FINGERPRINT.match(ticket["key_fingerprint"]) is not None,
        "people": isinstance(ticket["people"], str) and ticket["people"] in PEOPLE,
    }
    wrong = [name for name, right in checks.items() if not right]
    if wrong:
        raise Refused("malformed", "the ticket's %s has not the form it must have" % "; ".join(wrong))
    return ticket


def parse_policy(data: bytes) -> Dict[str, Any]:
    """Return what this host was enrolled as: its system, name, venue, kind, and whose signatures it asks for."""
    try:
        policy = json.loads(data.decode("utf-8"))
    except ValueError:
        policy = None
    if not isinstance(policy, dict) or set(policy) != POLICY_FIELDS:
        raise Refused("policy", "policy.json does not hold exactly %s; run the bot role again" % ", ".join(sorted(POLICY_FIELDS)))
    positions, persons = policy["positions"], policy["persons"]
    checks = {
        "format": policy["format"] == 1, "rehearsal": isinstance(policy["rehearsal"], bool),
        "people": isinstance(policy["people"], str) and policy["people"] in PEOPLE,
        "system, host, venue": all(isinstance(policy[name], str) and _NAME.match(policy[name]) for name in ("system", "host", "venue")),
        "roles": isinstance(policy["roles"], list) and all(isinstance(role, str) for role in policy["roles"]),
        "persons": isinstance(persons, dict) and all(
            isinstance(one, dict) and set(one) == {"person", "roles"} and isinstance(one["person"], str) and isinstance(one["roles"], list)
            and all(isinstance(role, str) for role in one["roles"]) for one in persons.values()),
        "release_link, config, runtime": all(isinstance(policy[name], str) and policy[name].startswith("/")
                                             for name in ("release_link", "config", "runtime")),
        "positions": positions is None or (isinstance(positions, list) and bool(positions) and all(isinstance(w, str) for w in positions)
                                           and positions[0].startswith("/")),
        "max_clock_offset_s": type(policy["max_clock_offset_s"]) in (int, float) and 0 < policy["max_clock_offset_s"] <= 60,
    }
    wrong = [name for name, right in checks.items() if not right]
    if wrong:
        raise Refused("policy", "policy.json: %s has not the form it must have; run the bot role again" % "; ".join(wrong))
    result: Dict[str, Any] = policy
    return result


def check_identity(ticket: Mapping[str, Any], policy: Mapping[str, Any]) -> None:
    """Refuse a ticket for another system, host, venue, kind of run or number of people than the policy names."""
    if ticket["rehearsal"] != policy["rehearsal"]:
        raise Refused("rehearsal_fence", "a rehearsal's ticket never arms production" if ticket["rehearsal"]
                      else "a production ticket never arms a rehearsal host")
    for name in ("system", "host", "venue"):
        if ticket[name] != policy[name]:
            raise Refused("wrong_" + name, "the ticket is for the %s %s, this is %s" % (name, ticket[name], policy[name]))
    if ticket["people"] != policy["people"]:
        raise Refused("too_few", "the ticket was made for %r, this host asks for %r" % (ticket["people"], policy["people"]))


def examine(data: bytes, signatures: Mapping[str, bytes], signers_data: bytes, policy: Mapping[str, Any], at: datetime,
            ) -> Tuple[Dict[str, Any], List[Signed]]:
    """Return the ticket and who signed it, if the people that the policy asks for signed exactly this text for exactly this host.

    `at` is the time at which the keys must be valid. The window of the ticket itself is `check_window`'s question.
    """
    signers = parse_signers(signers_data, bool(policy["rehearsal"]))
    ticket = parse_ticket(data)
    signed = verify_people(data, signatures, NAMESPACE, signers, policy["persons"], at, "the ticket", bool(policy["rehearsal"]))
    check_identity(ticket, policy)
    require_people(signed, str(policy["people"]), policy["roles"], "the ticket")
    return ticket, signed


def check_window(ticket: Mapping[str, Any], now: datetime) -> None:
    """Refuse a ticket before or after its time."""
    if now < _moment(ticket["not_before"]):
        raise Refused("not_yet_valid", "the ticket is not yet valid: it begins at %s, now is %s" % (ticket["not_before"], utc(now)),
                      again=True)
    if now >= _moment(ticket["expires"]):
        raise Refused("expired", "the ticket expired at %s, now is %s; sign a new one" % (ticket["expires"], utc(now)))


def check_limits(limits: Mapping[str, Any], config: Mapping[str, Any]) -> None:
    """Refuse a configuration that goes beyond a signed limit. Keys are dotted paths into the configuration.

    A limit is a cap: a number may be smaller in size with the same sign, a list may hold fewer, anything else must be equal.
    So a crash between "new ticket" and "new configuration" of a ramp leaves a bot that is smaller than allowed, never larger.
    """
    for path in sorted(limits):
        found = config_at(config, path)
        if found is None:
            raise Refused("limits", "the configuration has no %s, the ticket limits it to %s" % (path, _short(limits[path])))
        if not _within(found, limits[path]):
            raise Refused("limits", "the configuration has %s = %s, the ticket allows %s" % (path, _short(found), _short(limits[path])))


def config_at(config: Mapping[str, Any], path: str) -> Any:
    """Return the value at a dotted path of a configuration, or None."""
    here: Any = config
    for part in path.split("."):
        if not isinstance(here, dict) or part not in here:
            return None
        here = here[part]
    return here


def config_digest(data: bytes, limits: Iterable[str]) -> str:
    """Return the digest of a configuration without `stage` and the values of the stage limits.

    A stage of the ramp is not another release: its limits are signed by value, everything else of the configuration by digest.
    """
    try:
        config = json.loads(data.decode("utf-8"))
    except ValueError:
        config = None
    if not isinstance(config, dict):
        raise Refused("changed_subject", "the bot's configuration is not a JSON object")
    for path in ("stage", *limits):
        parts = path.split(".")
        holder = config_at(config, ".".join(parts[:-1])) if len(parts) > 1 else config
        if isinstance(holder, dict):
            holder.pop(parts[-1], None)
    return digest(encode(config))


def _within(found: Any, limit: Any) -> bool:
    if isinstance(found, bool) or isinstance(limit, bool):
        return found is limit
    if isinstance(limit, list):
        return isinstance(found, list) and all(one in limit for one in found)
    have, most = _decimal(found), _decimal(limit)
    if have is None or most is None:
        return type(found) is type(limit) and bool(found == limit)
    return abs(have) <= abs(most) and (have == 0 or (have > 0) == (most > 0))


def _is_limit(value: Any) -> bool:
    if isinstance(value, list):
        return all(isinstance(one, str) for one in value)
    return isinstance(value, (bool, int)) or (isinstance(value, str) and 0 < len(value) <= 64)


def _decimal(value: Any) -> Optional[Decimal]:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _is_digest(value: Any) -> bool:
    return isinstance(value, str) and _DIGEST.match(value) is not None


def _moment(text: str) -> datetime:
    moment = parse_utc(text)
    if moment is None:
        raise Refused("malformed", "not a UTC time: %s" % _short(text))
    return moment


def _short(value: Any) -> str:
    return json.dumps(value)[:80]


def tree_digest(path: str) -> str:
    """Return the digest of everything below a directory, the same as `golive.sets.release_tree.read`.

    Rows are path, kind and content; a file that others than its owner may change is another kind. Raises OSError.
    """
    rows: List[List[str]] = []
    owner = (os.geteuid(), os.getegid())
    for directory, names, files in os.walk(path, onerror=_raise):
        names.sort()
        for name in [".", *names, *files]:
            full = os.path.normpath(os.path.join(directory, name))
            found, relative = os.lstat(full), os.path.relpath(full, path)
            if stat.S_ISLNK(found.st_mode):
                rows.append([relative, "link", os.readlink(full)])
            elif stat.S_ISREG(found.st_mode):
                loose = "" if not found.st_mode & 0o022 and (found.st_uid, found.st_gid) == owner else " loose"
                rows.append([relative, ("program" if found.st_mode & 0o100 else "file") + loose, digest(_read_all(full))[7:]])
            elif name == ".":
                rows.append([relative, "dir" + ("" if not found.st_mode & 0o022 and found.st_uid == owner[0] else " loose"), ""])
            elif not stat.S_ISDIR(found.st_mode):
                rows.append([relative, "other", ""])
    return digest(encode(sorted(rows)))


def _raise(error: OSError) -> None:
    raise error


# --- the host -------------------------------------------------------------------------------------------------------

class Host:
    """The arming directory of one host: what is installed, consumed, voided. `root` is `/` except in tests."""

    def __init__(self, root: str = "/", now: Optional[datetime] = None) -> None:
        self._root = root
        self.now = now or datetime.now(timezone.utc)

    def path(self, absolute: str) -> str:
        """Return where an absolute path of the host lies."""
        return os.path.join(self._root, absolute.lstrip("/"))

    def arm(self, *parts: str) -> str:
        """Return a path in the arming directory."""
        return self.path(os.path.join(ARM, *parts))

    # what root placed

    def policy(self) -> Dict[str, Any]:
        """Return the host's policy."""
        return parse_policy(self._trusted("policy.json", "policy"))

    def signers(self) -> bytes:
        """Return the enrolled signers as root placed them."""
        return self._trusted("allowed_signers", "signers_file")

    def _trusted(self, name: str, code: str) -> bytes:
        """Return the content of a file that nobody but root could have changed, directories above it included."""
        path = self.arm(name)
        above = ARM
        while above != "/":
            self._check_owner(os.lstat(self.path(above)) if os.path.lexists(self.path(above)) else None, above, code, stat.S_ISDIR)
            above = os.path.dirname(above)
        try:
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as exc:
            raise Refused(code, "%s/%s cannot be read: %s; run the bot role again" % (ARM, name, exc.strerror)) from None
        with os.fdopen(handle, "rb") as stream:
            self._check_owner(os.fstat(handle), "%s/%s" % (ARM, name), code, stat.S_ISREG)
            return stream.read(_CAP)

    @staticmethod
    def _check_owner(status: Optional[os.stat_result], path: str, code: str, kind: Any) -> None:
        if status is None or not kind(status.st_mode):
            raise Refused(code, "%s is missing or not a plain one; run the bot role again" % path)
        if status.st_uid != os.geteuid() or status.st_mode & 0o022:
            raise Refused(code, "%s may be changed by others than root (owner %d, mode %04o): it cannot be trusted" % (
                path, status.st_uid, status.st_mode & 0o7777))

    # epoch and void

    def epoch(self) -> int:
        """Return the host's epoch: raised by every kill, never lowered. One empty file an epoch, so that raising needs no lock."""
        try:
            names = os.listdir(self.arm("epochs"))
        except FileNotFoundError:
            return 0
        except OSError as exc:
            raise Refused("epoch", "the host's epoch cannot be read: %s" % exc.strerror, again=True) from None
        return max((int(name) for name in names if name.isascii() and name.isdigit()), default=0)

    def void(self, reason: str, epoch: Optional[int] = None) -> List[str]:
        """Void every ticket signed so far and delete the key, without lock; return what could not be done.

        Each step stands alone: a full disk may stop the note, it does not stop the raised epoch of another machine or the deletion.
        """
        problems: List[str] = []
        raised = self._next_epoch() if epoch is None else max(epoch, self.epoch())

        def attempt(what: str, act: Any) -> None:
            try:
                act()
            except OSError as exc:
                problems.append("%s: %s" % (what, exc.strerror or exc))

        attempt("raise the epoch", lambda: self._raise(raised))
        attempt("write voided", lambda: _write(self.arm("voided"), encode({"at": utc(self.now), "epoch": raised, "reason": reason[:500]})))
        attempt("delete the key", lambda: _unlink(self.arm("exchange_key.cred")))
        return problems

    def _next_epoch(self) -> int:
        """Return an epoch above every one that this host has seen or armed by.

        Seconds since 1970, as on the kill machines: epochs stay comparable also where a kill could only reach one of them.
        """
        known = [self.epoch(), int(self.now.timestamp()) - 1]
        try:
            bundle = self.installed()
            known += [parse_ticket(bundle[0])["epoch"]] if bundle is not None else []
        except (OSError, Refused):
            pass  # a ticket that cannot be read cannot arm either
        return max(known) + 1

    def _raise(self, epoch: int) -> None:
        os.makedirs(self.arm("epochs"), mode=0o755, exist_ok=True)
        os.close(os.open(self.arm("epochs", str(epoch)), os.O_CREAT | os.O_WRONLY, 0o644))
        _sync(self.arm("epochs"))

    def voided(self) -> Optional[Dict[str, Any]]:
        """Return what the file `voided` says (empty if unreadable), or None. Its presence alone stops the unit."""
        if not os.path.lexists(self.arm("voided")):
            return None
        try:
            value = json.loads(self._bytes(self.arm("voided")).decode("utf-8"))
        except (OSError, ValueError):
            return {}
        return value if isinstance(value, dict) else {}

    # the installed ticket

    def installed(self) -> Optional[Tuple[bytes, Dict[str, bytes]]]:
        """Return the installed ticket and its signatures, or None."""
        link = self.arm("installed")
        if not os.path.islink(link):
            return None
        return self._bundle(link)

    def record(self, nonce: str) -> Optional[Dict[str, Any]]:
        """Return the record of a consumed nonce: `{digest, at, state}`, or None if it was never used here."""
        try:
            value = json.loads(self._bytes(self.arm("consumed", nonce)).decode("utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError):
            value = {}
        return value if isinstance(value, dict) else {}

    def _bundle(self, directory: str) -> Tuple[bytes, Dict[str, bytes]]:
        try:
            names = os.listdir(directory)
            signatures = {name[len("ticket.json."):-len(".sig")]: self._bytes(os.path.join(directory, name))
                          for name in names if name.startswith("ticket.json.") and name.endswith(".sig")}
            data = self._bytes(os.path.join(directory, "ticket.json"))
        except OSError as exc:
            raise Refused("no_ticket", "the ticket cannot be read: %s" % exc.strerror) from None
        if len(signatures) > 8:
            raise Refused("malformed", "the ticket comes with %d signatures; 8 are the most" % len(signatures))
        return data, signatures

    @staticmethod
    def _bytes(path: str) -> bytes:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as handle:
            data = handle.read(_CAP + 1)
        if len(data) > _CAP:
            raise Refused("malformed", "%s is larger than %d bytes" % (os.path.basename(path), _CAP))
        return data

    # the subject: what is really on this host

    def check_subject(self, ticket: Mapping[str, Any], policy: Mapping[str, Any]) -> None:
        """Refuse when the release, the configuration or the limits on this host are not what was signed."""
        found_release = self.installed_release(str(policy["release_link"]))
        for part, found in sorted(found_release.items()):
            if ticket["release"][part] != found:
                raise Refused("changed_subject", "the %s of the release on this host is %s, signed was %s" % (
                    part, found[:19], ticket["release"][part][:19]))
        try:
            data = self._bytes(self.path(str(policy["config"])))
        except OSError as exc:
            raise Refused("changed_subject", "%s cannot be read: %s" % (policy["config"], exc.strerror)) from None
        found = config_digest(data, ticket["limits"])
        if ticket["release"]["config"] != found:
            raise Refused("changed_subject", "the configuration on this host is %s, signed was %s" % (
                found[:19], ticket["release"]["config"][:19]))
        check_limits(ticket["limits"], json.loads(data.decode("utf-8")))

    def installed_release(self, link: str) -> Dict[str, str]:
        """Return `{artifact, tree}` of the release that `link` names: its name, and the digest of every file that lies there now."""
        try:
            target = os.path.normpath(os.path.join(os.path.dirname(link), os.readlink(self.path(link))))
            tree = tree_digest(self.path(target))
        except OSError as exc:
            raise Refused("changed_subject", "no release is installed at %s: %s" % (link, exc.strerror)) from None
        name = os.path.basename(target)
        if re.match(r"[0-9a-f]{64}\Z", name) is None:
            raise Refused("changed_subject", "%s does not name a release by its digest" % link)
        return {"artifact": "sha256:" + name, "tree": tree}

    def subject(self, link: str, config: str, limits: Iterable[str]) -> Dict[str, str]:
        """Return what a ticket for this host has to name: artifact, tree and config. Raises Refused."""
        try:
            data = self._bytes(self.path(config))
        except OSError as exc:
            raise Refused("changed_subject", "%s cannot be read: %s" % (config, exc.strerror)) from None
        return {**self.installed_release(link), "config": config_digest(data, limits)}

    # time

    def check_clock(self, policy: Mapping[str, Any], venue_offset_s: Optional[float] = None) -> None:
        """Refuse when this host's clock is not the venue's, or stands before a time that this host has already seen."""
        allowed = float(policy["max_clock_offset_s"])
        if venue_offset_s is not None and not abs(venue_offset_s) <= allowed:
            raise Refused("clock", "this host's clock is %.1f s off the venue's, allowed are %.1f s; a ticket's time cannot be judged" % (
                venue_offset_s, allowed), again=True)
        seen = self._seen()
        if seen is not None and self.now < seen - timedelta(seconds=max(allowed, 5.0)):
            raise Refused("clock", "this host's clock says %s, but it was %s here before: it was set back" % (utc(self.now), utc(seen)),
                          again=True)

    def _seen(self) -> Optional[datetime]:
        try:
            text = self._bytes(self.arm("seen")).decode("ascii", "replace").strip()
        except OSError:
            return None
        return parse_utc(text)

    def _see(self) -> None:
        seen = self._seen()
        if seen is None or self.now > seen:
            _write(self.arm("seen"), utc(self.now).encode("ascii"))

    # the acts

    def install(self, source: str, venue_offset_s: Optional[float] = None) -> Dict[str, Any]:
        """Verify a delivered ticket, consume its nonce and put it in place; return the ticket. Safe to repeat after a crash.

        The nonce is written down before the ticket can act. A delivery that was cut off is finished by delivering the same
        text again; one that was finished is refused as replayed, for ever.
        """
        data, signatures = self._bundle(source)
        with _Lock(self.arm(".lock")):
            policy = self.policy()
            self.check_clock(policy, venue_offset_s)
            ticket, _signed = examine(data, signatures, self.signers(), policy, self.now)
            void = self._check_void(ticket, installing=True)
            record = self.record(ticket["nonce"])
            if record is not None and not (record.get("state") == "placing" and record.get("digest") == digest(data)):
                raise Refused("replayed", "this ticket was delivered here before (at %s): a ticket arms once" % (
                    record.get("at", "an unknown time"),))
            check_window(ticket, self.now)
            self.check_subject(ticket, policy)
            self._place(ticket["nonce"], data, signatures)
            if void is not None:
                os.replace(self.arm("voided"), self.arm("voided.before." + ticket["nonce"]))
            _unlink(self.path(os.path.join(policy["runtime"], "exit_only")))
            self._see()
            return ticket

    def _place(self, nonce: str, data: bytes, signatures: Mapping[str, bytes]) -> None:
        record = {"digest": digest(data), "at": utc(self.now), "state": "placing"}
        os.makedirs(self.arm("consumed"), mode=0o755, exist_ok=True)
        os.makedirs(self.arm("tickets"), mode=0o755, exist_ok=True)
        _write(self.arm("consumed", nonce), encode(record))
        if not self._is_in_place(nonce, data, signatures):
            self._put_in_place(nonce, data, signatures)
        _write(self.arm("consumed", nonce), encode({**record, "state": "placed"}))
        for name in os.listdir(self.arm("tickets")):
            if name != nonce:
                shutil.rmtree(self.arm("tickets", name), ignore_errors=True)

    def _is_in_place(self, nonce: str, data: bytes, signatures: Mapping[str, bytes]) -> bool:
        """A delivery cut off after its last step must not take the ticket away from a unit that may start meanwhile."""
        try:
            return os.readlink(self.arm("installed")) == os.path.join("tickets", nonce) and self.installed() == (data, dict(signatures))
        except (OSError, Refused):
            return False

    def _put_in_place(self, nonce: str, data: bytes, signatures: Mapping[str, bytes]) -> None:
        final, fresh = self.arm("tickets", nonce), self.arm("tickets", nonce + ".new")
        for leftover in (fresh, final):
            shutil.rmtree(leftover, ignore_errors=True)
        os.mkdir(fresh, 0o755)
        _write(os.path.join(fresh, "ticket.json"), data)
        for principal, signature in signatures.items():
            _write(os.path.join(fresh, "ticket.json.%s.sig" % principal), signature)
        os.rename(fresh, final)
        _sync(self.arm("tickets"))
        _unlink(self.arm("installed.new"))
        os.symlink(os.path.join("tickets", nonce), self.arm("installed.new"))
        os.replace(self.arm("installed.new"), self.arm("installed"))
        if not os.path.lexists(self.arm("ticket.json")):
            os.symlink("installed/ticket.json", self.arm("ticket.json"))  # one fixed name for whoever reads the ticket
        _sync(self.arm())

    def _check_void(self, ticket: Mapping[str, Any], installing: bool = False) -> Optional[Dict[str, Any]]:
        """Refuse what a kill voided. Returns the older void that a newer ticket answers, while installing one."""
        void, epoch = self.voided(), self.epoch()
        if epoch > ticket["epoch"]:
            raise Refused("voided" if void is not None else "epoch", "the ticket is of epoch %d, a kill raised this host to %d%s; "
                          "reconcile, write down the cause, sign a new ticket" % (ticket["epoch"], epoch, _because(void)))
        if void is None:
            return None
        answered = type(void.get("epoch")) is int and void["epoch"] <= ticket["epoch"]
        if not installing or not answered:
            raise Refused("voided", "the ticket was voided%s; reconcile, write down the cause, sign a new ticket" % _because(void))
        return void

    def verify_installed(self) -> Tuple[Dict[str, Any], Dict[str, Any], List[Signed]]:
        """Return the installed ticket, the policy and who signed, if everything but the ticket's window holds. Raises Refused."""
        policy = self.policy()
        bundle = self.installed()
        if bundle is None:
            void = self.voided()
            raise Refused("voided" if void is not None else "no_ticket", "no ticket is installed on this host%s" % _because(void))
        data, signatures = bundle
        nonce = str(parse_ticket(data)["nonce"])
        record = self.record(nonce)
        if record is None or record.get("digest") != digest(data) or record.get("state") not in ("placing", "placed"):
            raise Refused("no_ticket", "the ticket on this host was put there by hand, not delivered; arm by the playbook")
        # Who was enrolled when the ticket armed this host stays good for it: a key that expires later must not strand open positions.
        ticket, signed = examine(data, signatures, self.signers(), policy, _moment(record.get("at", "")))
        self._check_void(ticket)
        self.check_subject(ticket, policy)
        return ticket, policy, signed

    def check(self) -> str:
        """Decide for the live unit: return "valid" or "exit_only" and leave the mark for the bot, or raise Refused."""
        ticket, policy, _signed = self.verify_installed()
        self.check_clock(policy)
        mark = self.path(os.path.join(str(policy["runtime"]), "exit_only"))
        self._see()
        try:
            check_window(ticket, self.now)
        except Refused as exc:
            if exc.code != "expired":
                raise
            self._mark_exit_only(mark, ticket)
            if self.open_positions(policy).open == 0:
                raise Refused("expired", "%s (and the venue reports no open position, so there is nothing to close)" % exc) from None
            return "exit_only"
        _unlink(mark)
        return "valid"

    def tick(self) -> str:
        """While the unit runs: mark it exit-only as soon as its ticket is no longer good. Asks no venue, starts nothing."""
        policy = self.policy()
        mark = self.path(os.path.join(str(policy["runtime"]), "exit_only"))
        try:
            ticket, _policy, _signed = self.verify_installed()
            self.check_clock(policy)
            check_window(ticket, self.now)
        except Refused as exc:
            if not os.path.lexists(mark):  # said once: its age tells since when
                _write(mark, encode({"at": utc(self.now), "reason": str(exc), "code": exc.code}), 0o644)
            return "exit_only"
        _unlink(mark)
        self._see()
        return "valid"

    def _mark_exit_only(self, mark: str, ticket: Mapping[str, Any]) -> None:
        os.makedirs(os.path.dirname(mark), mode=0o755, exist_ok=True)
        _write(mark, encode({"at": utc(self.now), "reason": "the ticket expired at %s" % ticket["expires"], "code": "expired"}), 0o644)

    def open_positions(self, policy: Mapping[str, Any]) -> Position:
        """Ask the venue, by the host's own reader, how many positions are open. Silence is not zero: it raises, to be asked again."""
        if policy["positions"] is None:
            raise Refused("expired", "the ticket expired, and this host has no way to ask the venue for open positions; "
                          "sign a new ticket")
        try:
            done = subprocess.run(policy["positions"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                  check=False, timeout=20, env={"PATH": _PATH, "LC_ALL": "C.UTF-8"})
            answer = json.loads(done.stdout[:_CAP].decode("utf-8")) if done.returncode == 0 else None
        except (OSError, ValueError, subprocess.TimeoutExpired):
            answer = None
        if not isinstance(answer, dict) or type(answer.get("open")) is not int or answer["open"] < 0:
            raise Refused("venue_silent", "the ticket expired, and the venue did not say whether positions are open; "
                          "asked again at the next start", again=True)
        return Position(answer["open"])

    def remove(self) -> bool:
        """Take the ticket and the key away; its nonce stays consumed. Returns whether there was anything."""
        with _Lock(self.arm(".lock")):
            there = [self.arm(name) for name in ("installed", "exchange_key.cred") if os.path.lexists(self.arm(name))]
            for path in there:
                _unlink(path)
            shutil.rmtree(self.arm("tickets"), ignore_errors=True)
            _sync(self.arm())
            return bool(there)

    def show(self) -> Dict[str, Any]:
        """Return what an observer may know: state, reason, ticket fields. Reads only: no venue, no mark, no clock note."""
        result: Dict[str, Any] = {"state": "none", "code": None, "reason": None, "ticket": None, "digest": None, "signed_by": [],
                                  "people": [], "roles": [], "epoch": None, "exit_only": False,
                                  "key": os.path.lexists(self.arm("exchange_key.cred")), "at": utc(self.now)}
        try:
            bundle = self.installed()
            if bundle is not None:
                result.update(digest=digest(bundle[0]), ticket=parse_ticket(bundle[0]), signed_by=sorted(bundle[1]))
            result["epoch"] = self.epoch()
            policy = self.policy()
            result["exit_only"] = os.path.lexists(self.path(os.path.join(str(policy["runtime"]), "exit_only")))
            ticket, _policy, signed = self.verify_installed()
            result.update(people=sorted({one.person for one in signed}), roles=sorted({role for one in signed for role in one.roles}))
            self.check_clock(policy)
            check_window(ticket, self.now)
            result["state"] = "valid"
        except Refused as exc:
            states = {"no_ticket": "none", "expired": "expired", "voided": "voided", "epoch": "voided"}
            result.update(state=states.get(exc.code, "refused"), code=exc.code, reason=str(exc))
        return result


class _Lock:
    """The second lock of a money action, on the target itself: two controllers cannot place two tickets at once (M7)."""

    def __init__(self, path: str) -> None:
        self._path, self._handle = path, -1

    def __enter__(self) -> None:
        self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._handle)
            raise Refused("busy", "another delivery is running on this host; look at it, then deliver again", again=True) from None

    def __exit__(self, *_exc: object) -> None:
        os.close(self._handle)


def _because(void: Optional[Mapping[str, Any]]) -> str:
    if void is None:
        return ""
    return ": voided at %s, %s" % (_printable(void.get("at", "an unknown time")), _printable(void.get("reason", "no reason was written")))


def _printable(value: Any) -> str:
    return "".join(char if char.isprintable() else "?" for char in str(value))[:200]


def _read_all(path: str) -> bytes:
    with open(path, "rb") as handle:
        return handle.read()


def _write(path: str, data: bytes, mode: int = 0o644) -> None:
    """Replace a file so that a crash leaves the old or the new one."""
    fresh = "%s.tmp%d" % (path, os.getpid())
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(fresh, path)
    except OSError:
        _unlink(fresh)
        raise
    _sync(os.path.dirname(path))


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return


def _sync(directory: str) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ticket.py", description="The arming ticket of this host.")
    parser.add_argument("--root", default="/", help=argparse.SUPPRESS)
    commands = parser.add_subparsers(dest="command", required=True)
    install = commands.add_parser("install", help="verify a delivered ticket, consume its nonce, put it in place")
    install.add_argument("--from", dest="source", required=True, metavar="DIR", help="directory with ticket.json and ticket.json.NAME.sig")
    install.add_argument("--venue-offset", type=float, metavar="SECONDS", help="the venue's clock minus this host's, as just measured")
    commands.add_parser("check", help="may the live unit start? exit 0 yes, 1 no, 255 could not tell (ExecCondition)")
    commands.add_parser("tick", help="mark a running unit exit-only when its ticket is no longer good (timer)")
    void = commands.add_parser("void", help="void every ticket signed so far and delete the key")
    void.add_argument("--reason", required=True)
    void.add_argument("--epoch", type=int, help="the epoch that the kill machine has raised")
    commands.add_parser("remove", help="take ticket and key away (the bot must be stopped)")
    commands.add_parser("show", help="print what is installed, as JSON")
    return parser


def main(argv: Optional[Sequence[str]] = None) -> int:
    """The command line. One line to stdout says what was decided, one to stderr why it was refused."""
    args = _parser().parse_args(argv)
    host = Host(args.root)
    os.umask(0o022)
    try:
        if args.command == "install":
            ticket = host.install(args.source, args.venue_offset)
            print("armed: stage %s until %s, nonce %s" % (ticket["stage"], ticket["expires"], ticket["nonce"]))
        elif args.command in ("check", "tick"):
            print(host.check() if args.command == "check" else host.tick())
        elif args.command == "void":
            problems = host.void(args.reason, args.epoch)
            for problem in problems:
                print("ticket: void: %s" % problem, file=sys.stderr)
            print("voided, epoch %d" % host.epoch())
            return REFUSED if problems else RUN
        elif args.command == "remove":
            print("removed" if host.remove() else "nothing was installed")
        else:
            print(json.dumps(host.show(), sort_keys=True))
        return RUN
    except Refused as exc:
        print("ticket: %s: %s" % (exc.code, exc), file=sys.stderr)
        return COULD_NOT_TELL if exc.again else REFUSED
    except (OSError, subprocess.SubprocessError) as exc:
        print("ticket: could not tell: %s" % (getattr(exc, "strerror", None) or type(exc).__name__), file=sys.stderr)
        return COULD_NOT_TELL


if __name__ == "__main__":
    sys.exit(main())
