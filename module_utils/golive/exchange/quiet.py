"""Did somebody else use the key while the bot was stopped? The payload of the drill `quiet_key` from two questions' facts. Pure.

The first question spends nonce N, the second, minutes later, asks with N+1: taken means that nobody was in between. A nonce window
at the venue takes late numbers too, so with one the drill proves nothing.
"""

from __future__ import annotations

from typing import Any, Dict, Mapping

from ..errors import GoliveError

NAME = "quiet_key"


def drill_payload(first: Mapping[str, Any], second: Mapping[str, Any]) -> Dict[str, Any]:
    """Return `{name, passed, result, opportunities, witness}` of the drill. `first` and `second` are facts of `exchange_key`.

    Raises GoliveError when the two are not such a pair, or when the second one could not tell.
    """
    for number, found in (("first", first), ("second", second)):
        if "nonce.spent" not in found:
            raise GoliveError(
                "the %s question spent no nonce" % number, where=NAME, found=found.get("reason"), todo="ask a venue with nonces"
            )
    if first["key_fingerprint"] != second["key_fingerprint"]:
        raise GoliveError("the two questions are about different keys", where=NAME)
    if int(second["nonce.spent"]) != int(first["nonce.spent"]) + 1:
        raise GoliveError(
            "the second question was not asked with the next number", where=NAME, todo="give it quiet_since: nonce.spent of the first"
        )
    if "quiet.moved_by_others" not in second:
        raise GoliveError("the second question could not tell", where=NAME, found=second.get("reason"), todo="run the drill again")
    if first.get("nonce_window") != 0:
        raise GoliveError(
            "the key has a nonce window, or does not tell it; then a late number proves nothing",
            where=NAME,
            found=first.get("nonce_window"),
            expected=0,
            todo="set the window to 0 at the venue for the drill",
        )
    moved = second["quiet.moved_by_others"]
    result = {
        "nonce_moved_by_others": moved,
        "waited_s": second.get("quiet.waited_s", 0.0),
        "key_fingerprint": first["key_fingerprint"],
        "venue": first["venue"],
    }
    return {"name": NAME, "passed": moved is False, "result": result, "opportunities": 1, "witness": "venue"}
