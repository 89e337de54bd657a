"""From nothing to configured against a real Vault: once, repeatable, and no key or token left on a disk in clear."""
from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from golive.errors import GoliveError
from golive.store import bring_up, client, people, wanted
from golive.store.settings import Settings, token_directory

from .conftest import Server, certificate

PEOPLE = ["lab-ada", "lab-bob", "lab-cy"]


@pytest.fixture(autouse=True)
def people_enrolled_once(server: Server, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Making three RSA keys takes seconds; the people are the same in every test, the store is not."""
    shared = tmp_path_factory.getbasetemp() / "people"
    people.enrol(shared, PEOPLE)
    shutil.copytree(shared, server.folder / "people")


def keepers(folder: Path) -> bring_up.Keepers:
    secret = folder / "people"
    return bring_up.Keepers(PEOPLE, people.enrol(secret, PEOPLE), 2, folder / "shares", secret)


def wants(folder: Path) -> wanted.Wanted:
    return wanted.system_wants("slice", [str(folder / "audit0.log"), str(folder / "audit1.log")], ["127.0.0.1/32"])


def make(server: Server, *, dry: bool = False) -> list[dict[str, Any]]:
    return bring_up.bring_up(server.settings, keepers(server.folder), wants(server.folder), "slice-controller", dry=dry)


def names(changes: list[dict[str, Any]]) -> set[tuple[str, str]]:
    return {(one["object"], one["op"]) for one in changes}


def test_four_runs_check_real_check_real(server: Server) -> None:
    predicted, done = make(server, dry=True), make(server)
    assert names(predicted) == names(done)
    assert (f"vault:{server.settings.address}", "initialise") in names(done)
    assert make(server, dry=True) == []
    assert make(server) == []


def test_a_secret_goes_in_and_comes_out_and_is_never_overwritten(server: Server) -> None:
    make(server)
    connected = client.login(server.settings, None)
    assert not client.exists(connected, "kv/slice/exchange/wire")
    assert client.write_secret(connected, "kv/slice/exchange/wire", {"key": "canary\n\"value\""}) == 1
    assert client.read_field(connected, "kv/slice/exchange/wire", "key") == "canary\n\"value\""
    with pytest.raises(GoliveError, match="check-and-set"):
        client.write_secret(connected, "kv/slice/exchange/wire", {"key": "other"})


def test_no_share_and_no_token_lies_on_the_disk_in_clear(server: Server) -> None:
    make(server)
    share = people.open_share((server.folder / "shares/lab-ada.share.enc").read_text(), server.folder / "people/lab-ada.pgp.secret")
    assert len(share) > 20
    assert not (server.folder / "shares/root.enc").exists()
    written = b"".join(path.read_bytes() for path in (server.folder / "shares").iterdir())
    assert share.encode() not in written


def test_a_share_opens_only_for_the_person_it_was_made_for(server: Server) -> None:
    make(server)
    with pytest.raises(GoliveError, match="gpg could not do it"):
        people.open_share((server.folder / "shares/lab-ada.share.enc").read_text(), server.folder / "people/lab-bob.pgp.secret")


def test_the_controller_reads_only_its_own_system(server: Server) -> None:
    make(server)
    with pytest.raises(GoliveError, match="permission denied"):
        client.read_field(client.login(server.settings, None), "kv/other/exchange/live", "key")


def test_a_restarted_store_is_sealed_and_unsealed_by_the_next_run_only(server: Server) -> None:
    make(server)
    server.restart()
    with pytest.raises(GoliveError, match="sealed"):
        client.login(server.settings, None)
    assert names(make(server)) == {(f"vault:{server.settings.address}", "unseal")}


def test_a_dry_run_whose_earlier_task_restarts_the_server_predicts_that_it_is_unsealed(server: Server) -> None:
    make(server)
    predicted = bring_up.bring_up(server.settings, keepers(server.folder), wants(server.folder), "slice-controller", dry=True,
                                  restarted=True)
    server.restart()
    assert names(predicted) == names(make(server)) == {(f"vault:{server.settings.address}", "unseal")}


def test_in_production_a_sealed_store_names_who_has_to_unseal_it(server: Server) -> None:
    make(server)
    server.restart()
    alone = bring_up.Keepers(PEOPLE, keepers(server.folder).public, 2, server.folder / "shares", None)
    with pytest.raises(GoliveError, match=r"2 of lab-ada, lab-bob, lab-cy have to unseal it"):
        bring_up.bring_up(server.settings, alone, wants(server.folder), "slice-controller", dry=False)


def test_a_crash_after_initialisation_is_completed_by_the_next_run(server: Server) -> None:
    bring_up._initialise(client.unauthenticated(server.settings), keepers(server.folder))
    done = names(make(server))
    assert (f"vault:{server.settings.address}", "initialise") not in done
    assert ("vault_identity:slice-controller", "create") in done
    assert make(server) == []


def test_a_widened_policy_is_seen_and_put_back_without_a_kept_root_token(server: Server) -> None:
    make(server)
    root = bring_up._root(client.unauthenticated(server.settings), keepers(server.folder))
    widened = wants(server.folder).policies["slice-controller"] + 'path "*" {capabilities=["sudo"]}'
    root.sys.create_or_update_acl_policy("slice-controller", widened)
    root.sys.create_or_update_acl_policy("by-hand", 'path "*" {capabilities=["read"]}')
    root.auth.token.revoke_self()
    assert bring_up.surplus(server.settings, wants(server.folder)) == ["vault_policy:by-hand"]
    assert names(make(server)) == {("vault_policy:slice-controller", "update")}
    assert make(server) == []


def test_both_audit_devices_record_and_hold_no_secret_in_clear(server: Server) -> None:
    make(server)
    connected = client.login(server.settings, None)
    client.write_secret(connected, "kv/slice/x", {"key": "canary-in-clear"})
    for name in ("audit0.log", "audit1.log"):
        text = (server.folder / name).read_text()
        assert "kv/data/slice/x" in text
        assert "canary-in-clear" not in text


def test_a_wrong_authority_and_a_dead_store_end_in_one_sentence(server: Server, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    certificate(other)
    stranger = client.unauthenticated(Settings(server.settings.address, other / "server.crt", tmp_path / "x"))
    with pytest.raises(GoliveError, match="certificate is not accepted"):
        client.said(stranger.sys.is_sealed, "answer")
    nobody = client.unauthenticated(Settings("https://127.0.0.1:9", tmp_path / "server.crt", tmp_path / "x"))
    with pytest.raises(GoliveError, match="does not answer"):
        client.said(nobody.sys.is_sealed, "answer")


def test_an_identity_that_others_may_read_is_refused(server: Server) -> None:
    make(server)
    server.settings.identity.chmod(0o644)
    with pytest.raises(GoliveError, match="may be read by others"):
        client.login(server.settings, None)


def test_the_token_of_a_run_is_kept_in_memory_and_revoked_at_its_end(server: Server) -> None:
    make(server)
    run = f"test-{server.folder.name}"
    token = client.login(server.settings, run).token
    assert client.login(server.settings, run).token == token
    client.forget(server.settings, run)
    assert not (token_directory() / run).exists()
    later = client.unauthenticated(server.settings)
    later.token = token
    assert not later.is_authenticated()
