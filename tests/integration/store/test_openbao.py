"""What is not the same at OpenBao: its audit devices come out of its configuration, as the role's own template writes it.

With GOLIVE_STORE_PROGRAM=…/bao there is one test more.
"""
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import jinja2
import pytest
from golive.errors import GoliveError
from golive.store import bring_up, client, people, wanted

from .conftest import Server, is_openbao, prepare

ROOT = Path(__file__).resolve().parents[3]
PEOPLE = ["lab-ada", "lab-bob"]


def written(program: str, audits: list[str]) -> str:
    """Return what the role writes into the server's configuration, up to its addresses."""
    environment = jinja2.Environment(trim_blocks=True, undefined=jinja2.StrictUndefined, autoescape=False)
    template = (ROOT / "roles/secrets/templates/vault.hcl.j2").read_text()
    return environment.from_string(template[:template.index("api_addr")]).render(secrets_program=program, secrets_audit_files=audits)


def test_only_openbao_is_told_its_audit_devices_and_only_vault_that_memory_is_not_locked() -> None:
    openbao, vault = (written(program, ["/a/one.log", "/b/two.log"]) for program in ("bao", "vault"))
    assert 'audit "file" "file0" {\n  options { file_path = "/a/one.log" }\n}\naudit "file" "file1" {' in openbao
    assert "mlock" not in openbao
    assert "audit" not in vault
    assert "disable_mlock = true" in vault


def wants(files: list[str]) -> wanted.Wanted:
    return wanted.system_wants("slice", files, ["127.0.0.1/32"])


def test_what_the_server_makes_itself_is_neither_predicted_nor_made_and_missed_where_it_is_not_there() -> None:
    want = wants(["/a/one.log"])
    by_server, by_client = ({one["object"] for one in bring_up.plan_for_nothing("https://x:8200", want, server_audits=own)}
                            for own in (True, False))
    assert by_client - by_server == {"vault_audit:file0/"}
    with pytest.raises(GoliveError, match=r"not the audit devices of its own configuration.*create file0/ is due"):
        bring_up._to_do(want, wanted.Wanted(), True, True)
    assert "audit" not in {one.kind for one in bring_up._to_do(want, wanted.Wanted(), True, False)}
    assert "audit" in {one.kind for one in bring_up._to_do(want, wanted.Wanted(), False, False)}


@pytest.fixture
def declared(tmp_path: Path) -> Iterator[tuple[Server, list[str]]]:
    """A server whose two audit devices stand in its configuration, and that lets no client make one."""
    server, files = prepare(tmp_path), [str(tmp_path / f"audit{number}.log") for number in range(2)]
    text = (tmp_path / "vault.hcl").read_text()
    (tmp_path / "vault.hcl").write_text(text.replace("unsafe_allow_api_audit_creation = true", written("bao", files)))
    server.start()
    yield server, files
    server.kill()


def four_runs_with_audit_devices_of_the_configuration(declared: tuple[Server, list[str]]) -> None:
    server, files = declared
    place = server.folder
    keepers = bring_up.Keepers(PEOPLE, people.enrol(place / "people", PEOPLE), 2, place / "shares", place / "people")

    def run(want: wanted.Wanted, *, dry: bool) -> list[dict[str, object]]:
        return bring_up.bring_up(server.settings, keepers, want, "slice-controller", dry=dry, server_audits=True)

    predicted, done = (run(wants(files), dry=dry) for dry in (True, False))
    assert {(one["object"], one["op"]) for one in predicted} == {(one["object"], one["op"]) for one in done}
    assert [run(wants(files), dry=dry) for dry in (True, False)] == [[], []]
    connected = client.login(server.settings, None)
    client.write_secret(connected, "kv/slice/x", {"key": "canary-in-clear"})
    for file in files:
        assert "kv/data/slice/x" in Path(file).read_text()
        assert "canary-in-clear" not in Path(file).read_text()
    # A third device in code and not in the file: said, not made.
    with pytest.raises(GoliveError, match=r"create file2/ is due"):
        run(wants([*files, "/nowhere/three.log"]), dry=True)
    # One in the file and not in code any more is surplus, as everything else.
    assert bring_up.surplus(server.settings, wants(files[:1])) == ["vault_audit:file1/"]


if is_openbao():    # no skipped test where there is none
    test_four_runs_with_audit_devices_of_the_configuration = four_runs_with_audit_devices_of_the_configuration
