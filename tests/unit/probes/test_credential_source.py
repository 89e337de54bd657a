"""What a unit was handed is compared with the store by keyed hashes; a literal around the process is told by its place."""
from __future__ import annotations

import json
import os

import pytest
from golive.errors import Undecided
from golive.leaks.index import Index
from golive.probes import credential_source
from golive.probes.look import Completed

from .fake_look import FakeLook

OLD, NEW = (json.dumps({"key": f"KEY{word}", "secret": word * 11}) for word in ("aQ3x", "Zp7w"))
REFERENCE = "index:vault:kv/x/wire#key"


@pytest.fixture
def world(tmp_path, monkeypatch):
    (tmp_path / "credentials/bot.service").mkdir(parents=True)
    (tmp_path / "unit").write_text("[Service]\nExecStart=/bin/bot\n")
    monkeypatch.setattr(credential_source, "CREDENTIALS", str(tmp_path / "credentials"))
    return tmp_path


def seen(world, held=NEW, active="active", **more):
    if held is not None:
        (world / "credentials/bot.service/exchange_key").write_text(held)
    shown = f"ActiveState={active}\nMainPID={os.getpid()}\nFragmentPath={world}/unit\nDropInPaths=\n"
    look = FakeLook(commands={"systemctl show": Completed(0, shown, "")}, secrets={REFERENCE: Index.build({"wire": NEW}).dump()})
    return credential_source.observe({"unit": "bot.service", "credentials": {"exchange_key": REFERENCE}, **more}, look).facts


def test_what_the_store_holds_now_is_from_the_store(world):
    assert seen(world) == {"from_store": ["exchange_key"], "elsewhere": [], "missing": [], "literals": []}
    assert set(seen(world)) == set(credential_source.FACTS)


def test_a_key_of_before_the_rotation_is_from_elsewhere(world):
    assert seen(world, OLD)["elsewhere"] == ["exchange_key"]


def test_a_credential_that_was_not_handed_over_is_missing(world):
    assert seen(world, None)["missing"] == ["exchange_key"]


def test_a_literal_in_the_units_file_is_told_by_its_place(world):
    (world / "unit").write_text(f"[Service]\nEnvironment=API_SECRET={json.loads(NEW)['secret']}\n")
    found = seen(world)
    assert found["literals"] == [f"{world}/unit"]
    assert json.loads(NEW)["secret"] not in json.dumps(found)


@pytest.mark.parametrize("more", [{"active": "inactive"}, {"credentials": {}}])
def test_what_cannot_be_known_is_undecided(world, more):
    with pytest.raises(Undecided):
        seen(world, **more)
