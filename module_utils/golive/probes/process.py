"""process: is it alive, since when, from which release, with which environment, credentials, conditions and trust."""
from __future__ import annotations

import hashlib
import os
import re
from typing import Any, Dict, List, Set, Tuple

from ..canonical import digest
from ..errors import Undecided
from . import _units
from .look import Look

WITNESS = "kernel"
DEADLINE_S = 20
ASK = {
    "unit": "str; optional; one systemd unit",
    "units": "list of str; optional; several units, each fact is over all of them",
    "question": "str; optional; trust",
    "environment": "list of str; optional; variables the process must have been started with",
    "credentials": "list of str; optional; systemd credentials the unit must have",
    "release": "str; optional; directory of the releases",
    "credential": "str; optional; path of the credential that only one process may hold",
    "starters": "list of str; optional; units that may start the holder",
    "state_file": "str; optional; file that the process keeps writing",
}
FACTS = {
    "running": "bool; active with a main process",
    "enabled": "bool; started at boot",
    "restarts": "int; starts by the supervisor after the first",
    "age_s": "number; seconds since the youngest main process was started",
    "rss_mb": "number; resident memory now, all units",
    "startup_rss_mb": "number; highest resident memory so far of a process younger than an hour, resident memory now of an older one",
    "threads": "int",
    "open_files": "int",
    "user": "int; effective user id (the first unit's)",
    "no_new_privileges": "bool",
    "capabilities": "str; effective capabilities, hexadecimal",
    "exec_condition": "str; commands that must succeed before a start",
    "drop_ins": "list of str; files that change the unit's definition",
    "environment_missing": "list of str; unset or empty",
    "environment_placeholder": "list of str; set to a placeholder",
    "credentials_missing": "list of str; absent or empty",
    "release_digests": "list of str; name of the link beside the releases that leads there (current, previous), else sha256:<hex>",
    "release_sha256": "list of str; 64 hex digits each",
    "release_intact": "bool; nothing was changed since it was unpacked",
    "release_changed": "list of str",
    "holders": "int; processes that have the credential of this unit",
    "other_starters": "list of str; files that name the unit or its credential and are not its starters",
    "same_host_as_subject": "bool",
    "state_age_s": "number; seconds since the state file was written",
    "lab_ca_trusted": "bool; a lab authority stands in a trust store of the process",
    "ca_variables": "list of str",
    "proxy_variables": "list of str",
}
_PLACEHOLDER = re.compile(
    r"\A(|test|dummy|none|null|secret|password|change[-_ ]?me|todo|x{3,}|your[-_ ].*|<.*>|\{\{.*\}\}|\$\{.*\}|actual[-_ ]key|"
    r"example|placeholder|fixme|\.\.\.|\*+)\Z", re.IGNORECASE)
_CA_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "AWS_CA_BUNDLE",
                 "WEBSOCKET_CLIENT_CA_BUNDLE", "GIT_SSL_CAINFO")
_PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "ftp_proxy", "wss_proxy", "ws_proxy", "socks_proxy")
_TRUST_STORES = ("etc/ssl/certs/ca-certificates.crt", "etc/pki/tls/certs/ca-bundle.crt", "etc/ssl/cert.pem")
_TRUST_FOLDERS = ("usr/local/share/ca-certificates", "etc/pki/ca-trust/source/anchors")
_LAB = re.compile(r"golive.*\b(lab|rehearsal)\b|\b(lab|rehearsal)\b.*golive", re.IGNORECASE)
_STARTER_FOLDERS = ("/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system",
                    "/etc/cron.d", "/etc/cron.hourly", "/etc/cron.daily", "/var/spool/cron", "/etc/rc.local", "/etc/crontab")
_AN_HOUR = 3600


def expect(asks: List[Dict[str, Any]], _host: str) -> None:
    """Learn all questions of a plan before the first one is answered."""
    _units.expect(name for ask in asks for name in _names(ask))


def _names(ask: Dict[str, Any]) -> List[str]:
    return [str(name) for name in ask.get("units") or []] + ([str(ask["unit"])] if ask.get("unit") else [])


def observe(ask: Dict[str, Any], look: Look) -> Dict[str, Any]:
    """Return the facts that were asked for."""
    names = _names(ask)
    if not names:
        raise Undecided("the question names no unit")
    units = [_units.show(name, look) for name in names]
    facts: Dict[str, Any] = {
        "running": all(unit.running for unit in units),
        "enabled": all(unit.properties.get("UnitFileState") == "enabled" for unit in units),
        "restarts": sum(_number(unit.properties.get("NRestarts")) for unit in units),
        "exec_condition": "; ".join(line for unit in units for line in _units.conditions(unit)),
        "drop_ins": sorted(path for unit in units for path in unit.properties.get("DropInPaths", "").split()),
    }
    if ask.get("state_file"):
        facts.update(_state_file(ask["state_file"], look))
    if ask.get("credential"):
        facts.update(_holders(units[0], ask["credential"], list(ask.get("starters") or [])))
    if facts["running"]:
        facts.update(_resources(units))
        if "environment" in ask or "credentials" in ask:
            facts.update(_given(units, list(ask.get("environment") or []), list(ask.get("credentials") or [])))
        if ask.get("release"):
            facts.update(_releases(units, ask["release"]))
        if ask.get("question") == "trust":
            facts.update(_trust(units))
    return facts


def _number(text: Any) -> int:
    try:
        return int(text)
    except (TypeError, ValueError):
        raise Undecided("systemd does not count the restarts of this unit") from None


def _resources(units: List[_units.Unit]) -> Dict[str, Any]:
    rss = peak = threads = files = 0
    ages: List[float] = []
    for unit in units:
        fields, age = _units.status(unit.pid), _units.age_s(unit.pid)
        now = _units.kilobytes(fields, "VmRSS")
        rss, ages = rss + now, [*ages, age]
        peak += _units.kilobytes(fields, "VmHWM") if age < _AN_HOUR else now
        threads += _number(fields.get("Threads"))
        try:
            files += len(os.listdir("%s/%d/fd" % (_units.PROC, unit.pid)))
        except OSError:
            raise Undecided("the open files of %s cannot be counted" % unit.name) from None
    first = _units.status(units[0].pid)
    return {
        "age_s": round(min(ages), 3), "rss_mb": round(rss / 1024, 1), "startup_rss_mb": round(peak / 1024, 1), "threads": threads,
        "open_files": files, "user": _number(first.get("Uid", "").split("\t")[0]),
        "no_new_privileges": first.get("NoNewPrivs") == "1", "capabilities": first.get("CapEff", ""),
    }


def _given(units: List[_units.Unit], variables: List[str], credentials: List[str]) -> Dict[str, Any]:
    missing, placeholder, without = [], [], []
    for unit in units:
        environment = _units.environment(unit.pid)
        for name in variables:
            value = environment.get(name, "").strip()
            if not value:
                missing.append(name)
            elif _PLACEHOLDER.match(value):
                placeholder.append(name)
        for name in credentials:
            if not _credential(environment, name):
                without.append(name)
    return {"environment_missing": sorted(set(missing)), "environment_placeholder": sorted(set(placeholder)),
            "credentials_missing": sorted(set(without))}


def _credential(environment: Dict[str, str], name: str) -> bytes:
    """Return a credential of a process, empty when it has none. It never leaves this file."""
    folder = environment.get("CREDENTIALS_DIRECTORY")
    if not folder or "/" in name or name.startswith("."):
        return b""
    try:
        with open(os.path.join(folder, name), "rb") as handle:
            return handle.read(65536).strip()
    except OSError:
        return b""


def _releases(units: List[_units.Unit], root: str) -> Dict[str, Any]:
    root = os.path.realpath(root)
    links: Dict[str, str] = {}
    for name in ("current", "previous"):
        target = os.path.realpath(os.path.join(os.path.dirname(root), name))
        if os.path.dirname(target) == root:
            links.setdefault(os.path.basename(target), name)
    found: Set[str] = set()
    changed: List[str] = []
    for unit in units:
        places = [_units.link(unit.pid, "cwd") or "", *_units.mapped(unit.pid)]
        below = {os.path.relpath(place, root).split("/")[0] for place in places if place.startswith(root + "/")}
        if len(below) > 1:
            raise Undecided("%s runs from more than one release: %s" % (unit.name, ", ".join(sorted(below))))
        relative = "".join(below)
        if not re.match(r"\A[0-9a-f]{64}\Z", relative):
            raise Undecided("%s does not run from a release below %s" % (unit.name, root))
        found.add(relative)
    for name in sorted(found):
        changed.extend("%s/%s" % (name[:12], path) for path in _changed(os.path.join(root, name)))
    return {"release_digests": sorted(links.get(name, "sha256:" + name) for name in found), "release_sha256": sorted(found),
            "release_intact": not changed, "release_changed": changed[:50]}


def _changed(release: str) -> List[str]:
    """Return what is not as it was unpacked: the kernel's change times, owners, and the source's digest in the manifest."""
    try:
        unpacked = os.lstat(release).st_ctime_ns
        with open(os.path.join(release, "release.json"), "rb") as handle:
            manifest = handle.read(1 << 20)
    except OSError:
        return ["release.json"]
    changed, rows = [], []
    for directory, folders, files in os.walk(release):
        for name in folders + files:
            path = os.path.join(directory, name)
            relative, found = os.path.relpath(path, release), os.lstat(path)
            if found.st_ctime_ns > unpacked or found.st_uid != 0 or (found.st_mode & 0o022 and not os.path.islink(path)):
                changed.append(relative)
            if relative.startswith("app/") and name in files:
                with open(path, "rb") as handle:
                    rows.append([relative, hashlib.sha256(handle.read()).hexdigest()])
    if ('"source":"%s"' % digest(sorted(rows))).encode() not in manifest:
        changed.append("app")
    return sorted(changed)


def _holders(unit: _units.Unit, credential: str, starters: List[str]) -> Dict[str, Any]:
    """Count the processes that have the unit's credential, and find what else could start one."""
    name = os.path.basename(credential).rpartition(".")[0] or os.path.basename(credential)
    wanted = _credential(_units.environment(unit.pid), name) if unit.running else b""
    groups = set()
    for pid in _units.processes() if wanted else []:
        try:
            environment = _units.environment(pid)
        except Undecided:
            continue        # ended meanwhile: holds nothing
        if _credential(environment, name) == wanted:
            groups.add(_unit_of(pid))
    return {"holders": len(groups), "other_starters": _starters(unit.name, credential, starters)}


def _unit_of(pid: int) -> str:
    """Return the control group of a process: processes of one unit are one holder, a process outside is one of its own."""
    raw = (_units.read(pid, "cgroup") or b"").decode("utf-8", "replace")
    path = min((line.split(":", 2)[2] for line in raw.splitlines() if line.count(":") >= 2), default="", key=lambda one: -len(one))
    return path if path.endswith(".service") else "%s#%d" % (path, pid)


def _starters(unit: str, credential: str, allowed: List[str]) -> List[str]:
    words = (unit.encode(), credential.encode())
    own = {unit, *allowed}
    found = []
    for place in _STARTER_FOLDERS:
        for path in _files(place):
            if os.path.basename(path) in own or any("/%s.d/" % name in path for name in own):
                continue
            try:
                with open(path, "rb") as handle:
                    text = handle.read(1 << 20)
            except OSError:
                continue
            lines = [line for line in text.splitlines() if not line.lstrip().startswith((b"#", b";", b"After=", b"Before="))]
            if any(word in line for line in lines for word in words):
                found.append(path)
    return sorted(found)


def _files(place: str) -> List[str]:
    if os.path.isfile(place):
        return [place]
    return [os.path.join(directory, name) for directory, _folders, names in os.walk(place) for name in names]


def _state_file(path: str, look: Look) -> Dict[str, Any]:
    try:
        written = os.stat(path).st_mtime
    except OSError:
        raise Undecided("there is no state file %s on %s" % (path, look.host)) from None
    return {"state_age_s": round(max(0.0, look.now().timestamp() - written), 3), "same_host_as_subject": look.host == look.subject}


def _trust(units: List[_units.Unit]) -> Dict[str, Any]:
    authorities, proxies, lab = set(), set(), False
    for unit in units:
        environment = _units.environment(unit.pid)
        authorities |= {name for name in _CA_VARIABLES if environment.get(name)}
        proxies |= {name for name in environment if name.lower() in _PROXY_VARIABLES and environment[name]}
        lab = lab or any(_LAB.search(name) for name in _authorities(_units.root_of(unit), environment))
    return {"lab_ca_trusted": lab, "ca_variables": sorted(authorities), "proxy_variables": sorted(proxies)}


def _authorities(root: str, environment: Dict[str, str]) -> List[str]:
    """Return the names of the authorities in the trust stores, as the process sees them."""
    import ssl  # noqa: PLC0415  costs 20 ms on a target; only this question needs it

    places = [os.path.join(root or "/", name) for name in _TRUST_STORES]
    places += [root + environment[name] for name in _CA_VARIABLES if environment.get(name, "").startswith("/")]
    for folder in _TRUST_FOLDERS:
        places += _files(os.path.join(root or "/", folder))
    names, read_any = [], False
    for place in places:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            context.load_verify_locations(cafile=place)
        except (OSError, ssl.SSLError):
            continue
        read_any = True
        names += [" ".join(_words(certificate.get("subject", ()))) for certificate in context.get_ca_certs()]
    if not read_any:
        raise Undecided("no trust store of the process could be read")
    return names


def _words(subject: Any) -> Tuple[str, ...]:
    return tuple(value for part in subject for _name, value in part)
