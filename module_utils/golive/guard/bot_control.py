#!/usr/bin/env python3
"""On the bot's host: write a control file of the bot, and say whether the bot has taken it. Started by the guard through a forced command.

One file, standard library only, Python 3.9+. Reads one JSON object `{"words": [...]}` from its input; a word is `no_entries` or
`step_down`, nothing else is done, and nothing is ever taken away here. Prints one JSON object
`{"running": bool, "decision_age_s": number|null, "acknowledged": [words], "problems": [...]}`. A word is acknowledged when the bot itself
shows that it follows, or when its unit is not running.
"""
from __future__ import annotations

import calendar
import json
import os
import subprocess
import sys
import time
import urllib.request
from typing import Any, Dict, List, Optional

SETTINGS = "/etc/golive/bot_control.json"
WORDS = ("no_entries", "step_down")
INPUT_MAX = 4096
PATIENCE_S = 5.0
PAUSE_S = 0.1


def wanted(text: str) -> List[str]:
    """Return the words. Raises ValueError for anything that is not on the list."""
    words = json.loads(text)["words"]
    if not isinstance(words, list) or any(word not in WORDS for word in words):
        raise ValueError("expected words out of %s" % ", ".join(WORDS))
    return [word for word in WORDS if word in words]


def content(word: str, settings: Dict[str, Any]) -> str:
    """Return what stands in the file: the smaller stage, or nothing, which the bot takes as no entries."""
    smaller = settings.get("step_down")
    return json.dumps(smaller) + "\n" if word == "step_down" and smaller else "guard\n" if word == "no_entries" else ""


def write(word: str, settings: Dict[str, Any], problems: List[str]) -> bool:
    """Write the file unless it is there with this content; return whether it is there. Its directory is the bot's role's."""
    path = os.path.join(settings["control_directory"], word)
    text = content(word, settings)
    try:
        try:
            with open(path, encoding="utf-8") as handle:
                if handle.read() == text:
                    return True
        except FileNotFoundError:
            pass
        fresh = os.path.join(settings["control_directory"], ".%s.guard" % word)
        with open(fresh, "w", encoding="utf-8") as handle:
            handle.write(text)
            handle.flush()
            os.fsync(handle.fileno())
        os.chmod(fresh, 0o644)
        os.replace(fresh, path)
        return True
    except OSError as exc:
        problems.append("%s: %s" % (path, exc.strerror))
        return False


def running(unit: str) -> bool:
    """Say whether the unit runs; what systemd does not say counts as running."""
    try:
        done = subprocess.run(["systemctl", "show", "--property=ActiveState", "--value", unit], stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=5, check=False)
        return done.stdout.decode("ascii", "replace").strip() not in ("inactive", "failed")
    except (OSError, subprocess.SubprocessError):
        return True


def health(url: str) -> Optional[Dict[str, Any]]:
    """Return the bot's health document, None when it gives none."""
    try:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(url, timeout=2) as answer:
            found = json.loads(answer.read(1 << 20))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def follows(word: str, said: Dict[str, Any], written_at: float, smaller: Any) -> bool:
    """Say whether the bot shows that it follows a word: by the word itself; for a smaller stage by a later decision."""
    if word == "no_entries" or not smaller:
        return (said.get("controls") or {}).get("no_entries") is True
    return (_moment(said.get("last_decision_at")) or 0.0) > written_at


def _moment(text: Any) -> Optional[float]:
    try:
        return float(calendar.timegm(time.strptime(str(text), "%Y-%m-%dT%H:%M:%SZ")))
    except ValueError:
        return None


def act(words: List[str], settings: Dict[str, Any]) -> Dict[str, Any]:
    """Write the files and wait a little for the bot to follow."""
    problems: List[str] = []
    written = [word for word in words if write(word, settings, problems)]
    at, end = time.time(), time.monotonic() + PATIENCE_S
    while True:
        up = running(settings["unit"])
        said = health(settings["health_url"]) if up else None
        taken = [word for word in written if not up or (said is not None and follows(word, said, at, settings.get("step_down")))]
        if taken == written or time.monotonic() > end:
            break
        time.sleep(PAUSE_S)
    age = (said or {}).get("last_decision_age_s")
    return {"running": up, "decision_age_s": age if isinstance(age, (int, float)) and not isinstance(age, bool) else None,
            "acknowledged": taken, "problems": problems}


def main() -> int:
    """Exit 0 when every word was acknowledged, 1 when not, 64 for words that are not on the list."""
    try:
        with open(SETTINGS, encoding="utf-8") as handle:
            settings = json.load(handle)
        words = wanted(sys.stdin.read(INPUT_MAX))
    except (OSError, ValueError, KeyError, TypeError) as exc:
        print("bot_control: %s" % (exc if isinstance(exc, ValueError) and "expected" in str(exc) else type(exc).__name__), file=sys.stderr)
        return 64
    result = act(words, settings)
    print(json.dumps(result))
    return 0 if result["acknowledged"] == words else 1


if __name__ == "__main__":
    sys.exit(main())
