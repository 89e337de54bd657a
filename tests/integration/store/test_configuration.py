"""Every kind of object, against a real Vault and a real PostgreSQL: predicted, made, unchanged, drifted, put back.

hvac and the server's own command line agree on each.
"""
from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from cryptography import x509
from golive.errors import GoliveError
from golive.store import client, config, proving, wanted
from golive.store.kinds import BY_NAME

from . import postgres
from .conftest import Opened, Server, open_store, prepare, program

KEEPER = "kQ9x7LpA3zR1mV0nT5yB8c"
PLUGIN = {"sha256": "", "command": "postgresql-database-plugin"}
LETTERS = """length = 24
rule "charset" {
  charset = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
  min-chars = 1
}
"""


def described(audits: list[str]) -> wanted.Wanted:
    """Return what a whole system could want of its store, without a database."""
    more = wanted.from_inventory({
        "mounts": {"pki_root/": {"type": "pki", "config": {"max_lease_ttl": 315360000}},
                   "pki/": {"type": "pki", "config": {"max_lease_ttl": 31536000}}, "transit/": {"type": "transit"}},
        "password_policies": {"letters": LETTERS},
        "quotas": {"everybody": {"path": "", "rate": 500, "interval": 1}, "kv": {"path": "kv/", "rate": 200, "interval": "1s"}},
        "transit_keys": {"transit/backup": {"type": "aes256-gcm96", "deletion_allowed": False, "auto_rotate_period": "720h"}},
        "pki_roots": {"pki_root": {"common_name": "slice root", "ttl": "87600h", "key_type": "ec", "key_bits": 256}},
        "pki_intermediates": {"pki": {"common_name": "slice servers", "ttl": "8760h", "key_type": "ec", "key_bits": 256,
                                      "root": "pki_root"}},
        "pki_roles": {"pki/server": {"allowed_domains": ["slice.example"], "allow_subdomains": True, "max_ttl": "72h", "key_type": "ec",
                                     "key_bits": 256, "client_flag": False}},
        "policies": {"slice-reader": 'path "kv/data/slice/one" { capabilities = ["read"] }'}})
    engines = {path: str(one["type"]) for path, one in more.mounts.items()}
    processes = {"bot": {"reads": ["exchange/live"], "from": ["127.0.0.1/32"], "token_period": 1800}}
    return wanted.joined(wanted.system_wants("slice", audits, ["127.0.0.1/32"], engines=engines),
                         wanted.processes_want("slice", processes), more)


def audits(server: Server) -> list[str]:
    return [str(server.folder / f"audit{number}.log") for number in range(2)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    running = prepare(tmp_path_factory.mktemp("store"))
    running.start()
    opened = open_store(running)
    config.apply(opened.root(), described(audits(running)), to_do(opened))
    yield opened
    running.kill()


def to_do(opened: Opened, want: wanted.Wanted | None = None) -> list[wanted.Difference]:
    want = want or described(audits(opened.server))
    return wanted.differences(want, config.current(opened.root(), want))


def ops(found: list[wanted.Difference]) -> set[tuple[str, str, str]]:
    return {(one.kind, one.name, one.op) for one in found}


def test_an_empty_store_lacks_everything_and_a_configured_one_nothing(opened: Opened, whole: Opened) -> None:
    want = described(audits(opened.server))
    missing = ops(to_do(opened))
    assert missing == {(kind, name, "create") for kind, objects in want.by_kind().items() for name in objects}
    assert len({kind for kind, _, _ in missing}) == 11
    assert ops(to_do(whole)) == set()


def agree(want: Any, have: Any) -> bool:
    """Compare by a rule of the test's own: what is wanted, in the form in which the command line tells it."""
    if isinstance(want, list):
        return sorted(str(one).removesuffix("/32") for one in want) == sorted(str(one).removesuffix("/32") for one in have or [])
    if isinstance(want, str) and want.endswith("h") and want[:-1].isdigit():
        return int(want[:-1]) * 3600 == have
    if want == "1s":
        return have == 1
    return str(want).strip() == str(have).strip()


def disagreements(opened: Opened, path: str, body: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """Return the fields that the server's own command line tells otherwise than code has them."""
    there = opened.read(path)
    there = {**(there.get("connection_details") or {}), **there}       # of a database, without its password
    return [(one, value, there.get(one)) for one, value in body.items() if not agree(value, there.get(one))]


def test_the_servers_own_command_line_tells_the_same_of_every_object(whole: Opened) -> None:
    want, compared = described(audits(whole.server)), 0
    mounts, auths, devices = (whole.read(f"sys/{name}") for name in ("mounts", "auth", "audit"))
    for kind, objects in want.by_kind().items():
        for name, body in objects.items():
            if kind in {"mount", "auth", "audit"}:
                there = {"mount": mounts, "auth": auths, "audit": devices}[kind][name]
                assert there["type"] == body["type"], name
                for part in ("options", "config"):
                    assert all(agree(value, (there[part] or {})[one]) for one, value in (body.get(part) or {}).items()), (name, part)
            elif kind == "policy":
                assert whole.cli("policy", "read", name).stdout.strip() == body.strip()
            elif kind in {"pki_root", "pki_intermediate"}:
                issuer = x509.load_pem_x509_certificate(whole.read(f"{name}/issuer/default")["certificate"].encode())
                assert issuer.subject.rfc4514_string() == f"CN={body['common_name']}"
            else:
                path = f"auth/approle/role/{name}" if kind == "role" else BY_NAME[kind].at(name, BY_NAME[kind].path)
                assert disagreements(whole, path, body) == [], name
            compared += 1
    assert compared == len(ops(wanted.differences(want, wanted.Wanted())))


EVERYTHING = 'path "*" { capabilities = ["read"] }'
BY_HAND: dict[str, tuple[str, dict[str, Any], tuple[str, str, str]]] = {
    "policy": ("sys/policies/acl/slice-reader", {"policy": EVERYTHING}, ("policy", "slice-reader", "update")),
    "password policy": ("sys/policies/password/letters", {"policy": 'length=8 rule "charset" { charset = "ab" }'},
                        ("password_policy", "letters", "update")),
    "quota": ("sys/quotas/rate-limit/kv", {"path": "kv/", "rate": 9999}, ("quota", "kv", "update")),
    "transit key": ("transit/keys/backup/config", {"deletion_allowed": True}, ("transit_key", "transit/backup", "update")),
    "certificates for a year": ("pki/roles/server", {"allowed_domains": "slice.example", "max_ttl": "8760h"},
                                ("pki_role", "pki/server", "update")),
    "role from anywhere": ("auth/approle/role/slice-bot", {"token_bound_cidrs": ""}, ("role", "slice-bot", "update")),
    "lease of a mount": ("sys/mounts/pki/tune", {"max_lease_ttl": "99h"}, ("mount", "pki/", "update")),
    "surplus policy": ("sys/policies/acl/by-hand", {"policy": EVERYTHING}, ("policy", "by-hand", "surplus")),
    "surplus quota": ("sys/quotas/rate-limit/by-hand", {"rate": 5, "path": "transit/"}, ("quota", "by-hand", "surplus")),
    "surplus password policy": ("sys/policies/password/by-hand", {"policy": LETTERS}, ("password_policy", "by-hand", "surplus")),
    "surplus pki role": ("pki/roles/by-hand", {"allow_any_name": True}, ("pki_role", "pki/by-hand", "surplus")),
    "surplus transit key": ("transit/keys/by-hand", {}, ("transit_key", "transit/by-hand", "surplus")),
    "surplus mount": ("sys/mounts/by-hand", {"type": "kv"}, ("mount", "by-hand/", "surplus")),
    "surplus login": ("sys/auth/by-hand", {"type": "userpass"}, ("auth", "by-hand/", "surplus")),
    "surplus role": ("auth/approle/role/by-hand", {"token_policies": "root"}, ("role", "by-hand", "surplus")),
}


@pytest.mark.parametrize("what", BY_HAND)
def test_what_was_changed_by_hand_is_seen_and_put_back_and_what_was_added_is_only_reported(whole: Opened, what: str) -> None:
    path, data, expected = BY_HAND[what]
    root = whole.root()
    root.write_data(path, data=data)
    found = to_do(whole)
    assert ops(found) == {expected}
    config.apply(root, described(audits(whole.server)), found)
    left = ops(to_do(whole))
    assert left == ({expected} if expected[2] == "surplus" else set())
    if left:
        if what == "surplus transit key":
            root.write_data(f"{path}/config", data={"deletion_allowed": True})
        root.delete(path)
        assert ops(to_do(whole)) == set()


def test_what_a_server_does_not_change_is_refused_with_the_way_out(whole: Opened) -> None:
    want = described(audits(whole.server))
    changed = replace(want, things={**want.things, "transit_key": {"transit/backup": {"type": "ed25519"}}})
    with pytest.raises(GoliveError, match=r"transit_key transit/backup cannot be changed in type.*make a new one"):
        config.apply(whole.root(), changed, to_do(whole, changed))


def test_a_process_reads_its_own_secret_only_and_its_secret_id_works_once(whole: Opened) -> None:
    root = whole.root()
    for name in ("exchange/live", "exchange/kill"):
        root.secrets.kv.v2.create_or_update_secret(path=f"slice/{name}", secret={"key": name}, mount_point="kv")
    role = root.auth.approle.read_role_id("slice-bot")["data"]["role_id"]
    wrapped = root.auth.approle.generate_secret_id("slice-bot", wrap_ttl="60s")["wrap_info"]["token"]
    opener = client.unauthenticated(whole.server.settings)
    opener.token = wrapped
    secret = opener.sys.unwrap()["data"]["secret_id"]
    bot = client.unauthenticated(whole.server.settings)
    bot.auth.approle.login(role, secret)
    assert client.read_field(bot, "kv/slice/exchange/live", "key") == "exchange/live"
    for forbidden in ("kv/slice/exchange/kill", "kv/other/exchange/live"):
        with pytest.raises(GoliveError, match="permission denied"):
            client.read_field(bot, forbidden, "key")
    told = bot.auth.token.lookup_self()["data"]
    assert (told["period"], told["bound_cidrs"], told["renewable"]) == (1800, ["127.0.0.1"], True)
    again = client.unauthenticated(whole.server.settings)
    with pytest.raises(GoliveError, match="invalid role or secret ID"):
        client.said(lambda: again.auth.approle.login(role, secret), "log in twice")
    opener.token = wrapped
    with pytest.raises(GoliveError, match="wrapping token is not valid"):
        client.said(opener.sys.unwrap, "unwrap twice")


def test_a_server_certificate_is_short_and_ends_in_the_stores_root(whole: Opened) -> None:
    root = whole.root()
    made = root.write_data("pki/issue/server", data={"common_name": "bot.slice.example", "ttl": "24h"})["data"]
    leaf, issuer = (x509.load_pem_x509_certificate(made[one].encode()) for one in ("certificate", "issuing_ca"))
    leaf.verify_directly_issued_by(issuer)
    top = x509.load_pem_x509_certificate(whole.read("pki_root/issuer/default")["certificate"].encode())
    issuer.verify_directly_issued_by(top)
    assert (leaf.not_valid_after_utc - leaf.not_valid_before_utc).total_seconds() < 25 * 3600
    with pytest.raises(GoliveError, match="not allowed by this role"):
        client.said(lambda: root.write_data("pki/issue/server", data={"common_name": "evil.example"}), "issue")


def test_an_authority_that_ends_soon_is_renewed_and_the_old_one_stays_trusted(whole: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    before = whole.read("pki/issuer/default")["issuer_id"]
    monkeypatch.setattr("golive.store.authority.RENEW_AT", 1.1)
    want = described(audits(whole.server))
    found = [one for one in to_do(whole) if one.kind == "pki_intermediate"]
    assert ops(found) == {("pki_intermediate", "pki", "update")}
    config.apply(whole.root(), want, found)
    monkeypatch.undo()
    assert whole.read("pki/issuer/default")["issuer_id"] != before
    assert before in whole.cli("list", "-format=json", "pki/issuers").stdout
    assert ops(to_do(whole)) == set()


def test_two_hundred_objects_with_nothing_to_change_are_compared_with_few_questions_at_a_time(whole: Opened) -> None:
    root = whole.root()
    for number in range(200):
        root.sys.create_or_update_acl_policy(f"many-{number}", 'path "kv/data/slice/x" { capabilities = ["read"] }')
    want = described(audits(whole.server))
    policies = {**want.policies, **{f"many-{number}": 'path "kv/data/slice/x" { capabilities = ["read"] }' for number in range(200)}}
    wide = replace(want, policies=policies)
    started = time.monotonic()
    assert ops(to_do(whole, wide)) == set()
    print(f"compared {len(wanted.differences(wide, wanted.Wanted()))} objects in {time.monotonic() - started:.2f} s")
    for number in range(200):
        root.sys.delete_acl_policy(f"many-{number}")


def test_the_database_gives_passing_users_and_keeps_standing_ones(opened: Opened) -> None:
    with postgres.running(KEEPER) as database:
        database.ask("keeper", KEEPER, "create role standing login password 'first'")
        database.ask("keeper", KEEPER, "create table fills (id int)")
        want = with_database(opened, database.port)
        config.apply(opened.root(), want, to_do(opened, want), {"vault:kv/slice/database#password": KEEPER}.__getitem__)
        assert ops(to_do(opened, want)) == set()
        plugin = "database/postgresql-database-plugin"
        for path, kind, name in ((f"sys/plugins/catalog/{plugin}", "plugin", plugin),
                                 ("database/config/slice", "database", "database/slice"),
                                 ("database/roles/reader", "database_role", "database/reader"),
                                 ("database/static-roles/bot", "database_static_role", "database/bot")):
            assert disagreements(opened, path, want.things[kind][name]) == [], name
        # From now on nobody but the store knows the password of the database's keeper.
        assert "password authentication failed" in database.ask("keeper", KEEPER, "select 1", fails=True)
        passing = opened.read("database/creds/reader")
        assert database.ask(passing["username"], passing["password"], "select count(*) from fills") == "0"
        assert "permission denied" in database.ask(passing["username"], passing["password"], "delete from fills", fails=True)
        standing = opened.read("database/static-creds/bot")
        assert database.ask("standing", standing["password"], "select 1") == "1"
        before = proving.static_password(opened.root(), "database/bot")
        assert before == ("standing", standing["password"])
        opened.cli("write", "-f", "database/rotate-role/bot")
        after = proving.static_password(opened.root(), "database/bot")
        where, ca_file = f"postgres://127.0.0.1:{database.port}/postgres", opened.server.settings.ca_file
        # The rotation's own client, beside psql: the old password is refused, the new one let in, a server that trusts anybody is told.
        told = proving.database(where, before, after, ca_file)
        assert (told["refused"], told["new"]) == (True, "authenticated")
        assert told["old"] == 'password authentication failed for user "standing"'
        with pytest.raises(GoliveError, match=r"the new value is not accepted.*password authentication failed"):
            proving.database(where, after, before, ca_file)
        assert "password authentication failed" in database.ask("standing", standing["password"], "select 1", fails=True)
        assert database.ask("standing", after[1], "select 1") == "1"
        database.trust()
        assert proving.database(where, before, after, ca_file)["refused"] is False
        database.trust(False)
        opened.cli("lease", "revoke", "-prefix", "-sync", "database/creds/reader")
        assert "password authentication failed" in database.ask(passing["username"], passing["password"], "select 1", fails=True)
        opened.cli("write", "database/roles/by-hand", "db_name=slice", "creation_statements=create role x")
        assert ops(to_do(opened, want)) == {("database_role", "database/by-hand", "surplus")}


def with_database(opened: Opened, port: int) -> wanted.Wanted:
    digest = hashlib.sha256((program().parent / "postgresql-database-plugin").read_bytes()).hexdigest()
    url = "postgresql://{{username}}:{{password}}@127.0.0.1:%d/postgres?sslmode=disable" % port
    makes = "create role \"{{name}}\" login password '{{password}}' valid until '{{expiration}}'; grant select on fills to \"{{name}}\";"
    more = wanted.from_inventory({
        "mounts": {"database/": {"type": "database"}},
        "password_policies": {"letters": LETTERS},
        "plugins": {"database/postgresql-database-plugin": {**PLUGIN, "sha256": digest}},
        "databases": {"database/slice": {"plugin_name": "postgresql-database-plugin", "username": "keeper", "password_policy": "letters",
                                         "allowed_roles": ["reader", "bot"],
                                         "connection_url": url,
                                         "secret": {"password": "vault:kv/slice/database#password"}}},
        "database_roles": {"database/reader": {"db_name": "slice", "default_ttl": "1h", "max_ttl": "4h", "creation_statements": [makes]}},
        "database_static_roles": {"database/bot": {"db_name": "slice", "username": "standing", "rotation_period": "24h"}}})
    return wanted.joined(wanted.system_wants("slice", audits(opened.server), [], engines={"database/": "database"}), more)
