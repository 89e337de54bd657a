"""What the benches write down: a landing stands once, the newest first, and ten of them are shown."""
from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.bench.tables import landed, put


def commit(folder: Path, text: str) -> str:
    who = ["-c", "user.name=a", "-c", "user.email=a@example.invalid"]
    subprocess.run(["git", *who, "commit", "-q", "--allow-empty", "-m", text], cwd=folder, check=True)
    return subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def test_the_last_ten_landings_are_shown_newest_first_and_one_measured_again_is_replaced(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    file = tmp_path / "landings.jsonl"
    made = []
    for number in range(12):
        made.append(commit(tmp_path, str(number)))
        landed("other", {"a / b": 9.0}, file)
        head, rows = landed("observe", {"a / b": float(number)}, file)
    assert head == ("landing", "measured", "a / b")
    assert [row[0] for row in rows] == made[:1:-1]
    _head, rows = landed("observe", {"a / b": 0.5, "new": 1.0}, file)
    assert (rows[0][0], rows[0][2:]) == (made[-1], ("0.500", "1.000"))
    assert rows[1][2:] == ("10.000", "")     # a figure that an earlier landing did not measure stays empty
    assert len([line for line in file.read_text().splitlines() if json.loads(line)["key"] == "observe"]) == 12


def test_a_section_is_replaced_in_its_place(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    put("one", "One", "First.", [(("a",), [("1",)])], page)
    put("two", "Two", "Second.", [(("a",), [("2",)])], page)
    put("one", "One", "Third.", [(("a",), [("3",)])], page)
    text = page.read_text()
    assert "First." not in text
    assert text.index("Third.") < text.index("Second.")
