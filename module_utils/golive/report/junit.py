"""How does a CI system read the run? JUnit XML: one test case a control and a host; what is not known is an error, never a pass."""
from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement, indent, tostring

from ..catalogue import PHASES
from .model import Control, Host, Report

_HOSTS = "hosts"


def text(report: Report) -> str:
    """Return the XML. Waived and not applicable read as skipped: a reader that counts passes must not count them."""
    root = Element("testsuites", name=f"golive {report.banner} {report.system}")
    phases = [*PHASES, *sorted({control.phase for control in report.controls} - set(PHASES))]
    for phase in phases:
        controls = [control for control in report.controls if control.phase == phase]
        if controls:
            _suite(root, report, phase, [(control.id, control.title, control) for control in controls])
    if report.hosts:
        _suite(root, report, _HOSTS, [(host.name, "answered", host) for host in report.hosts])
    if report.first.state in ("killed", "unknown", "running"):
        _suite(root, report, "run", [("finished", "the run finished", None)])
    suites = list(root)
    for name in ("tests", "failures", "errors", "skipped"):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in suites)))
    indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _suite(root: Element, report: Report, name: str, cases: list[tuple[str, str, Control | Host | None]]) -> None:
    suite = SubElement(root, "testsuite", name=f"{report.banner} {report.system} {name}", tests=str(len(cases)), time="0")
    if report.started:
        suite.set("timestamp", report.started.removesuffix("Z"))
    properties = SubElement(suite, "properties")
    for key, value in (("run", report.run), ("rehearsal", _tristate(report.rehearsal)), ("mode", report.mode),
                       ("state", report.first.state)):
        SubElement(properties, "property", name=key, value=value)
    for case_id, title, thing in cases:
        case = SubElement(suite, "testcase", classname=f"{report.system}.{name}", name=f"{case_id}: {title}", time="0")
        outcome = _outcome(report, thing)
        if outcome:
            element, kind, message, detail = outcome
            SubElement(case, element, type=kind, message=message).text = detail
        elif isinstance(thing, Control) and thing.shown_as != "verified":
            SubElement(case, "system-out").text = f"shown as: {thing.shown_as}"
    for element, attribute in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        suite.set(attribute, str(len(suite.findall(f"testcase/{element}"))))


def _outcome(report: Report, thing: Control | Host | None) -> tuple[str, str, str, str] | None:
    """Return element, type, message and detail; None only for a pass."""
    if thing is None:
        return "error", report.first.state, report.first.sentence, ""
    if isinstance(thing, Host):
        return _host_outcome(thing)
    if thing.verdict == "pass":
        return None
    element = {"fail": "failure", "undecided": "error"}.get(thing.verdict, "skipped")
    detail = [f"{row.subject or 'this system'}: {row.verdict}: {row.reason}" for row in thing.rows]
    detail += [f"fixed by {thing.remedy.fixed_by}: {thing.remedy.how}"]
    if thing.remedy.contained_by:
        detail.append(f"contained by {thing.remedy.contained_by}")
    return element, thing.verdict if element == "skipped" else thing.severity, thing.reason, "\n".join(detail)


def _host_outcome(host: Host) -> tuple[str, str, str, str] | None:
    if host.state == "answered":
        return None
    if host.state == "not contacted":
        return "skipped", "not_contacted", "this run had no reason to look at it, or did not get so far", ""
    return "error", host.state, host.text, f"in phase {host.phase}, task {host.task}"


def _tristate(value: bool | None) -> str:
    return "unknown" if value is None else str(value).lower()
