"""An incident record: every section is there, answered or unknown, and holds no more than it says."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from golive.operate import incident

SMAPS = """55d0-55e0 rw-p 00000000 00:00 0     [heap]
Size:   64 kB
Rss:    40 kB
7f00-7f10 rw-p 00000000 00:00 0
Rss:    8 kB
7f20-7f30 r-xp 00000000 08:01 12     /usr/lib/libssl.so.3
Rss:    4 kB
"""


def test_every_section_is_there_when_nothing_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_words: Any) -> Any:
        raise incident.Unknown("no answer")

    monkeypatch.setattr(incident, "fetched", refused)
    monkeypatch.setattr(incident, "ran", refused)
    monkeypatch.setattr(incident, "disk", refused)
    found = incident.collect(["wire"], ["api", "performance"], "http://127.0.0.1:9")
    assert sorted(found) == sorted(incident.names(["wire"], ["api", "performance"]))
    assert {one["state"] for one in found.values()} == {"unknown"}
    assert found["alerts"]["why"] == "no answer"


def test_a_section_that_the_bots_tool_leaves_out_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incident, "process", lambda _unit: {"pid": 1})
    monkeypatch.setattr(incident, "diagnosed", lambda _instance, _topic: {"venue_status": {"state": "answered", "status": "online"},
                                                                          "bot": "all well"})
    found = incident.of_instance("wire", ["api"])
    assert found["api.venue_status"]["status"] == "online"
    assert {found["api." + name]["state"] for name in ("clock_skew", "nonce_state", "error_rate", "bot")} == {"unknown"}


def test_a_host_that_was_not_reached_reads_unknown() -> None:
    found = incident.nothing(["live"], ["api"], "the host was not reached")
    told = incident.record("s", "bot", found)
    assert told["unknown"] == sorted(found)
    assert "clock" in told["unknown"]


def test_alerts_are_told_apart_by_state() -> None:
    one = {"labels": {"alertname": "A", "instance": "wire"}, "state": "firing", "activeAt": "x"}
    answer = {"status": "success", "data": {"alerts": [one, {**one, "state": "pending", "labels": {"alertname": "B"}}]}}
    found = incident.alerts(answer)
    assert [one["name"] for one in found["firing"]] == ["A"]
    assert [one["name"] for one in found["pending"]] == ["B"]


def test_an_answer_of_another_form_is_unknown_not_quiet() -> None:
    assert incident.asked(lambda: incident.alerts({"status": "error"}))["state"] == "unknown"
    assert incident.asked(lambda: incident.alerts([]))["state"] == "unknown"
    assert incident.asked(lambda: incident.clock("nonsense"))["state"] == "unknown"


def test_memory_is_counted_by_mapping() -> None:
    found = incident.mappings(SMAPS)
    assert (found["rss_bytes"], found["heap_bytes"], found["anonymous_bytes"]) == (53248, 40960, 8192)
    assert found["largest"][0] == ["[heap]", 40960]


def test_of_the_ledger_only_named_fields_are_shown(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.jsonl"
    records: list[dict[str, Any]] = [{"seq": n, "kind": "ack", "errors": ["EGeneral"], "raw": "kept back"} for n in range(30)]
    records.append({"seq": 31, "kind": "heartbeat"})
    ledger.write_text("".join(json.dumps(one) + "\n" for one in records) + '{"half')
    found = incident.last_decisions(str(ledger))["records"]
    assert [one["seq"] for one in found] == list(range(10, 30))
    assert "kept back" not in json.dumps(found)


def test_a_ledger_that_is_not_there_is_unknown(tmp_path: Path) -> None:
    assert incident.asked(lambda: incident.last_decisions(str(tmp_path / "none")))["state"] == "unknown"
