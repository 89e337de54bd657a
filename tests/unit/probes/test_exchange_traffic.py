"""How the rehearsal exchange judged a bot's requests."""

from __future__ import annotations

import pytest
from golive.errors import Undecided
from golive.probes.exchange_traffic import FACTS, MARKER, observe
from golive.probes.web import Response

from .fake_look import FakeLook, response

ASK = {"url": "https://venue:9443", "credential": "vault:kv/x#token", "account": "wire", "rules": ["nonce_rising"], "window_s": 100}
TOTALS = {"requests": 500, "order_requests": 40, "entries": 20}


def marked(answer, **more):
    plain = response(answer, **more)
    return Response(plain.status, {**plain.headers, MARKER: "rehearsal"}, plain.body, plain.seconds, plain.tls)


def row(good=100, bad=0, open_=0, samples=()):
    return {"pass": good, "fail": bad, "unjudged": open_, "samples": list(samples)}


def sandbox(totals=None, clock=None, **rules):
    verdicts = {"rules": rules, "totals": TOTALS if totals is None else totals}
    answers = {"/clock": marked(clock or {"now": 1000.0}), "/verdicts": marked(verdicts)}
    return FakeLook(answers, secrets={"vault:kv/x#token": "very-secret"})


def test_kept_rules_are_counted():
    seen = observe(ASK, sandbox(nonce_rising=row()))
    assert (seen.facts["violations"], seen.facts["unjudged"], seen.facts["accepted_ratio"], seen.opportunities) == (0, 0, 1, 100)
    assert seen.facts["requests"] == 500
    assert all(name in FACTS or name.startswith("violations.") for name in seen.facts)


def test_a_broken_rule_is_counted_and_shown():
    seen = observe(
        ASK, sandbox(nonce_rising=row(99, 1, samples=[{"endpoint": "/0/private/Balance", "why": "7 after 9", "verdict": "fail"}]))
    )
    assert seen.facts["violations"] == seen.facts["violations.nonce_rising"] == 1
    assert seen.facts["accepted_ratio"] == 0.99
    assert seen.facts["samples"] == ["nonce_rising: /0/private/Balance: 7 after 9"]


def test_the_least_judged_rule_counts_the_opportunities():
    ask = {**ASK, "rules": ["nonce_rising", "idempotent_retry"]}
    assert observe(ask, sandbox(nonce_rising=row(500), idempotent_retry=row(0))).opportunities == 0


def test_what_nobody_judged_has_no_ratio():
    assert "accepted_ratio" not in observe(ASK, sandbox(nonce_rising=row(0))).facts


def test_only_the_window_is_asked_for():
    look = sandbox(nonce_rising=row())
    observe(ASK, look)
    assert "since=900.000" in look.asked[-1]
    assert "very-secret" not in "".join(look.asked)


def test_an_unknown_rule_is_undecided_and_not_good():
    with pytest.raises(Undecided, match="no rule nonce_rising"):
        observe(ASK, sandbox(signature=row()))


@pytest.mark.parametrize("answer", [b"", {"rules": []}, {"rules": {"nonce_rising": {"pass": "many"}}, "totals": {}},
                                    {"rules": {"nonce_rising": {"pass": 1, "fail": -1, "unjudged": 0}}, "totals": TOTALS}])  # fmt: skip
def test_a_malformed_answer_is_undecided(answer):
    look = sandbox()
    look.answers["/verdicts"] = marked(answer)
    with pytest.raises(Undecided):
        observe(ASK, look)


def test_an_answer_without_the_mark_is_not_the_rehearsal_exchange():
    look = sandbox()
    look.answers["/verdicts"] = response({"rules": {"nonce_rising": row()}, "totals": TOTALS})
    with pytest.raises(Undecided, match="mark"):
        observe(ASK, look)


def test_a_refusal_is_shown_in_the_exchanges_own_words():
    look = sandbox()
    look.answers["/verdicts"] = marked({"error": "no account 'wire'"}, status=404)
    with pytest.raises(Undecided, match="no account"):
        observe(ASK, look)


@pytest.mark.parametrize("ask", [{**ASK, "rules": []}, {**ASK, "url": "https://u:p@venue"}, {**ASK, "url": "file:///etc"}])
def test_a_question_that_means_nothing_is_undecided(ask):
    with pytest.raises(Undecided):
        observe(ask, sandbox(nonce_rising=row()))
