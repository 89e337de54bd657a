"""Rotation, emergency, review, restore and the agent on the lab of the journey, by their playbooks, under a bot that runs.

It goes on from a lab that the journey has built (GOLIVE_INVENTORY; the paper halves run, the store is open) and builds it first where it is
not. It runs with `make prove` only: it shares its hosts with the journey.
"""
from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from golive.audit import AuditLog
from golive.canonical import fingerprint, utc
from golive.lab.vault_binary import vault_folder
from golive.leaks.index import Index
from golive.leaks.places import Search
from golive.rehearsal.clients import AdminApi
from golive.store import break_glass, bring_up, client, nodes, people, proving
from golive.store.settings import Settings

from tests.integration.store import postgres
from tests.unit.store.test_proving import service

pytestmark = [pytest.mark.lab, pytest.mark.journey, pytest.mark.timeout(3600)]
ROOT = Path(__file__).resolve().parents[3]
INVENTORY = Path(os.environ.get("GOLIVE_INVENTORY") or ROOT / "inventories/kraken-micro/lab.yml")
REPORTS = ROOT / "reports/kraken-micro"
OPERATE = "playbooks/operate"
WIRE, TOKEN = "kraken-micro/exchange/wire", "kraken-micro/alerts/receiver"
PERIOD_S = 20     # the agent's token in this test: "the lease's length" has to pass


@dataclass
class Run:
    """How a playbook ended, what it said, and where its records are."""

    code: int
    output: str
    path: Path

    def changes(self) -> set[tuple[str, str, str]]:
        file = self.path / "changes.jsonl"
        lines = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
        return {(one["host"], one["object"], one["op"]) for one in lines}

    @property
    def words(self) -> str:
        return " ".join(self.output.split())


def run(playbook: str, *arguments: str) -> Run:
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
    done = subprocess.run([str(Path(sys.executable).parent / "ansible-playbook"), playbook, "-i", str(INVENTORY), *arguments], cwd=ROOT,
                          env=environment, capture_output=True, text=True, check=False)
    return Run(done.returncode, done.stdout + done.stderr, (REPORTS / "latest").resolve())


def on(host: str, *command: str, check: bool = True) -> str:
    done = subprocess.run([sys.executable, "-m", "golive.lab", "exec", "--inventory", str(INVENTORY), host, "--", *command], cwd=ROOT,
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0 or not check, done.stdout + done.stderr
    return done.stdout


def await_that(question: Callable[[], Any], what: str, seconds: float = 120) -> Any:
    """Ask until the answer is true; the deadline only ends a test that will never pass."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if answer := question():
            return answer
        time.sleep(0.5)
    raise AssertionError(f"waited in vain for: {what}")


@dataclass
class Lab:
    """The lab's addresses, its store as the controller sees it, and its exchange's administration."""

    name: str
    address: dict[str, str]

    @property
    def settings(self) -> Settings:
        ours = INVENTORY.parent / "lab"
        return Settings(f"https://{self.address['vault']}:8200", ours / f"{self.name}.ca.crt", ours / f"{self.name}.store/identity.json")

    def secret(self, path: str, field: str) -> str:
        return client.read_field(client.login(self.settings, None), f"kv/{path}", field)

    def exchange(self, *question: str) -> dict[str, Any]:
        token = self.secret("kraken-micro/sandbox/admin", "token")
        return AdminApi(f"https://{self.address['venue']}:9443", self.settings.ca_file, token).ask(*question)  # type: ignore[arg-type]

    def requests(self, account: str = "wire") -> list[dict[str, Any]]:
        return list(self.exchange("GET", f"requests?account={account}")["requests"])

    def logins(self, since: str, until: str) -> dict[str, int]:
        """Count in the store's audit log who logged in between two times, by role."""
        entries = [json.loads(line) for line in on("vault", "grep", "approle/login", "/var/log/vault/audit.log").splitlines()]
        return dict(Counter(one["auth"]["metadata"]["role_name"] for one in entries if one["type"] == "response"
                            and one["request"]["path"] == "auth/approle/login" and since <= one["time"] <= until and one.get("auth")))

    def delete(self, *paths: str) -> None:
        """Take from the store what a test put there, by the people's shares."""
        ours = INVENTORY.parent / "lab" / f"{self.name}.store"
        names = yaml.safe_load((INVENTORY.parent / "group_vars/rehearsal/building.yml").read_text())["secrets_keepers"]
        keepers = bring_up.Keepers(names, people.enrol(ours / "people", names), 2, ours / "shares", ours / "people")
        root = bring_up._root(client.unauthenticated(self.settings, 60), keepers)
        for path in paths:
            root.delete(path)
        root.auth.token.revoke_self()

    def versions(self, path: str) -> dict[str, Any]:
        read = client.login(self.settings, None).secrets.kv.v2.read_secret_metadata(path=path, mount_point="kv")
        return dict(read["data"]["versions"])


@pytest.fixture(scope="module")
def lab() -> Lab:
    inventory = yaml.safe_load(INVENTORY.read_text())["all"]["children"]["rehearsal"]
    hosts = {name: one["ansible_host"] for name, one in inventory["hosts"].items() if "ansible_host" in one}
    found = Lab(inventory["vars"]["lab_name"], hosts)
    if on("bot", "systemctl", "is-active", "bot-wire.service", check=False).strip() != "active":
        run("golive.yml")
    assert on("bot", "systemctl", "is-active", "bot-wire.service").strip() == "active"
    return found


def health() -> dict[str, Any]:
    script = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8002/health', timeout=5).read().decode())"
    found: dict[str, Any] = json.loads(on("bot", "python3", "-c", script))
    return found


def judged_badly(lab: Lab) -> dict[str, int]:
    """Return what the exchange's judge counts against the account: nothing may be added by a rotation."""
    rules = lab.exchange("GET", "verdicts?account=wire")["rules"]
    return {name: int(rules[name]["fail"]) for name in ("duplicate_client_id", "idempotent_retry", "second_writer")}


def leaked(run_: Run, values: dict[str, str]) -> list[str]:
    """Search everything that a run wrote for values, in every spelling."""
    search = Search(Index.build(values))
    search.text(run_.output.encode(), "output")
    search.tree(str(run_.path))
    assert search.unread == []
    return [str(one) for one in search.found]


def test_an_exchange_key_is_rotated_while_the_bot_runs(lab: Lab) -> None:
    old = json.loads(lab.secret(WIRE, "key"))
    before, state = judged_badly(lab), lab.exchange("GET", "state/wire")
    predicted = run(f"{OPERATE}/rotate_secrets.yml", "--check")
    assert predicted.code == 0, predicted.output[-3000:]
    assert json.loads(lab.secret(WIRE, "key")) == old
    done = run(f"{OPERATE}/rotate_secrets.yml", "-vvvv", "--diff")
    assert done.code == 0, done.output[-6000:]
    new = json.loads(lab.secret(WIRE, "key"))
    assert new["key"] != old["key"]
    # Predicted is what was done; the old key's name is known only after the new one was made.
    assert {(host, thing.split(":")[0], op) for host, thing, op in predicted.changes()} == \
        {(host, thing.split(":")[0], op) for host, thing, op in done.changes()}
    assert "EAPI:Invalid key" in done.words      # the venue's own words to the old key
    # The bot works with the new one; between the last call with the old and the first with the new lies what it was without a key.
    called = await_that(lambda: [float(one["at"]) for one in lab.requests() if one.get("key") == fingerprint(new["key"])
                                 and one["source"] == lab.address["bot"] and not one.get("error")], "the bot calls with the new key")
    last = max(float(one["at"]) for one in lab.requests() if one.get("key") == fingerprint(old["key"]) and not one.get("error"))
    without = max(0.0, min(one for one in called if one > last) - last)
    print(f"without the key: {without:.1f} s")
    assert without <= 60
    assert judged_badly(lab) == before
    gone = {str(one["id"]) for one in state["orders"]["open"]} - {str(one["id"]) for one in
                                                                 lab.exchange("GET", "state/wire")["orders"]["open"]}
    ledger = on("bot", "cat", "/var/lib/bot/wire/ledger.jsonl")
    assert [one for one in gone if one not in ledger] == []   # what is open no more, the bot knows of
    keys = {one["key"]: one["revoked"] for one in lab.exchange("GET", "keys")["keys"]}
    assert (keys[old["key"]], keys[new["key"]]) == (True, False)
    versions = lab.versions(WIRE)
    assert [one["destroyed"] for number, one in sorted(versions.items(), key=lambda one: int(one[0]))][-2:] == [True, False]
    assert health()["reconciled"] is True
    assert leaked(done, {"old": old["secret"], "new": new["secret"]}) == []


def test_a_key_that_may_do_too_much_is_not_used_and_the_old_one_stays(lab: Lab) -> None:
    old = lab.secret(WIRE, "key")
    done = run(f"{OPERATE}/rotate_secrets.yml", "-e", "{rotate_allow: [read]}")
    assert done.code == 2
    assert "trade" in done.words.partition("fatal:")[2]
    assert lab.secret(WIRE, "key") == old
    assert {one["key"]: one["revoked"] for one in lab.exchange("GET", "keys")["keys"]}[json.loads(old)["key"]] is False
    again = run(f"{OPERATE}/rotate_secrets.yml")     # goes on with the key that waits
    assert again.code == 0, again.output[-3000:]
    assert lab.secret(WIRE, "key") != old


@pytest.mark.parametrize(("arguments", "words"), [
    (["-e", "rotate=love"], "rotate is love; set it to exchange_key or database_password"),
    (["-e", "rotate=database_password"], "name the static role with -e rotate_role="),
    (["-e", "rotate_reference=vault:kv/kraken-micro/x/y#z"], "is no key of rehearsal_exchange_accounts"),
    (["-e", "rotate_instance=live"], "the live key is armed with a ticket that names it")])
def test_bad_input_is_one_sentence(lab: Lab, arguments: list[str], words: str) -> None:
    assert lab.name
    done = run(f"{OPERATE}/rotate_secrets.yml", *arguments)
    assert done.code == 2
    assert words in done.words
    assert "Traceback" not in done.output


def test_a_token_is_rotated_and_everybody_who_holds_it_follows(lab: Lab) -> None:
    run(f"{OPERATE}/rotate_secrets.yml")  # ends what the test before has staged
    old = lab.secret(TOKEN, "token")
    asked = ["-e", f"rotate_reference=vault:kv/{TOKEN}#token", "-e", f"rotate_proof_url=https://{lab.address['outside']}:9094/received"]
    predicted = run(f"{OPERATE}/rotate_token.yml", "--check", *asked)
    assert predicted.code == 0, predicted.output[-3000:]
    assert lab.secret(TOKEN, "token") == old
    began = utc()
    done = run(f"{OPERATE}/rotate_token.yml", *asked)
    assert done.code == 0, done.output[-4000:]
    assert lab.logins(began, utc()) == {"kraken-micro-controller": 1}      # everything of a run with one login
    assert predicted.changes() == done.changes()
    assert {op for _, thing, op in done.changes() if thing.startswith("unit:")} == {"restart"}
    new = lab.secret(TOKEN, "token")
    assert new != old
    assert "new: status 200; old: status 401" in done.words
    assert on("bot", "cat", "/etc/golive/prometheus/alertmanager.token").strip() == new
    assert leaked(done, {"old": old, "new": new}) == []


def test_a_key_that_signs_jwts_is_rotated_at_a_service_that_checks_them(lab: Lab) -> None:
    path = "kraken-micro/api/signing"
    client.write_secret(client.login(lab.settings, None), f"kv/{path}", {"key": KEEPER}, replace=True)

    def verify(token: str) -> int:
        text, _, signature = token.rpartition(".")
        good = hmac.new(lab.secret(path, "key").encode(), text.encode(), hashlib.sha256).digest()
        return 200 if hmac.compare_digest(base64.urlsafe_b64encode(good).rstrip(b"=").decode(), signature) else 403

    with service(verify) as url:
        done = run(f"{OPERATE}/rotate_token.yml", "-e", f"rotate_reference=vault:kv/{path}#key", "-e", "rotate_proof=jwt", "-e",
                   f"rotate_proof_url={url}", "-vvvv")
    assert done.code == 0, done.output[-3000:]
    assert "new: status 200; old: status 403" in done.words
    new = lab.secret(path, "key")
    assert new != KEEPER
    assert leaked(done, {"old": KEEPER, "new": new}) == []
    assert [one["destroyed"] for _, one in sorted(lab.versions(path).items(), key=lambda one: int(one[0]))][-2:] == [True, False]
    lab.delete(f"kv/metadata/{path}")


def test_the_glass_is_broken_on_record_and_closed_again(lab: Lab) -> None:
    refused = run(f"{OPERATE}/break_glass.yml", "-e", "break_glass_who=ada")
    assert refused.code == 2
    assert "the glass is broken by a person, for a reason" in refused.words
    opened = run(f"{OPERATE}/break_glass.yml", "-e", "{break_glass_who: ada, break_glass_reason: the venue locked us out}", "-e",
                 "break_glass_minutes=5")
    assert opened.code == 0, opened.output[-3000:]
    token = break_glass.place("kraken-micro").read_text()
    holder = client.unauthenticated(lab.settings)
    holder.token = token
    assert holder.auth.token.lookup_self()["data"]["explicit_max_ttl"] == 300
    assert leaked(opened, {"token": token}) == []
    assert run(f"{OPERATE}/break_glass.yml", "-e", "{break_glass_who: ada, break_glass_reason: once more please}").code == 2
    closed = run(f"{OPERATE}/break_glass.yml", "-e", "break_glass=close")
    assert closed.code == 0, closed.output[-3000:]
    assert not holder.is_authenticated()
    assert not break_glass.place("kraken-micro").exists()
    lines = [json.loads(line) for line in (REPORTS / "audit.jsonl").read_text().splitlines()]
    acts = [one["act"] for one in lines if one["act"].startswith("break_glass")]
    assert acts[-3:] == ["break_glass", "break_glass_open", "break_glass_close"]
    assert AuditLog(str(REPORTS / "audit.jsonl")).head()


def test_the_review_finds_what_code_gives_and_nothing_else(lab: Lab) -> None:
    assert lab.name
    done = run(f"{OPERATE}/access_review.yml")
    assert done.code == 0, done.output[-3000:]
    assert "every reader is one that the code names" in done.words


def test_the_backup_opens_in_an_empty_store(lab: Lab) -> None:
    assert lab.name
    done = run(f"{OPERATE}/restore_store.yml")
    assert done.code == 0, done.output[-3000:]
    assert "secrets of" in done.words


def test_a_sealed_store_is_told_and_unsealed(lab: Lab) -> None:
    on("vault", "systemctl", "restart", "vault.service")
    await_that(lambda: nodes.look(lab.settings, [lab.settings.address])[0].state == "sealed", "the store answers, sealed")
    done = run(f"{OPERATE}/unseal.yml")
    assert done.code == 0, done.output[-3000:]
    assert "sealed" in done.words
    assert lab.secret(WIRE, "key")


def test_a_single_node_is_restarted_and_unsealed(lab: Lab) -> None:
    pid = on("vault", "systemctl", "show", "--property=MainPID", "--value", "vault.service")
    done = run(f"{OPERATE}/restart_store.yml")
    assert done.code == 0, done.output[-3000:]
    assert on("vault", "systemctl", "show", "--property=MainPID", "--value", "vault.service") != pid
    assert lab.secret(WIRE, "key")


def test_certificates_are_made_anew_while_the_bot_runs(lab: Lab) -> None:
    pid = health()["pid"]
    predicted = run(f"{OPERATE}/rotate_certificates.yml", "--check")
    assert predicted.code == 0, predicted.output[-3000:]
    done = run(f"{OPERATE}/rotate_certificates.yml")
    assert done.code == 0, done.output[-4000:]
    assert predicted.changes() == done.changes()
    assert ("vault", f"vault:{lab.settings.address}", "unseal") in done.changes()
    assert {host for host, thing, op in done.changes() if thing.startswith("certificate:")} == {"bot", "guard", "outside", "vault", "venue"}
    await_that(lambda: health()["reconciled"] is True, "the bot agrees with the venue again")
    assert health()["pid"] == pid
    assert lab.secret(WIRE, "key")


def test_the_hunt_is_clean_and_finds_a_core_dump_in_an_archive(lab: Lab) -> None:
    clean = run(f"{OPERATE}/leak_hunt.yml")
    assert clean.code == 0, clean.output[-4000:]
    secret = json.loads(lab.secret(WIRE, "key"))["secret"]
    on("bot", "sh", "-c", "mkdir -p /var/lib/systemd/coredump && "
       f"printf %s {secret} | base64 -w0 | gzip > /var/lib/systemd/coredump/core.bot.gz")
    try:
        found = run(f"{OPERATE}/leak_hunt.yml")
        assert found.code == 2
        assert f"core.bot.gz: vault:kv/{WIRE}#key (base64" in found.words
        assert secret not in found.output
    finally:
        on("bot", "rm", "-f", "/var/lib/systemd/coredump/core.bot.gz")


LETTERS = 'length = 24\nrule "charset" { charset = "abcdefghijklmnopqrstuvwxyz0123456789" }'
KEEPER = "kQ9x7LpA3zR1mV0nT5yB8c"


@pytest.fixture
def database(lab: Lab, tmp_path: Path) -> Iterator[postgres.Postgres]:
    """A PostgreSQL server that the lab's store looks after, by the role secrets; afterwards the store is what code says again."""
    gateway = lab.address["vault"].rpartition(".")[0] + ".1"
    with postgres.running(KEEPER, gateway) as server:
        server.ask("keeper", KEEPER, "create role standing login password 'first'")
        client.write_secret(client.login(lab.settings, None), "kv/kraken-micro/database/keeper", {"password": KEEPER}, replace=True)
        digest = hashlib.sha256((vault_folder() / "postgresql-database-plugin").read_bytes()).hexdigest()
        wants = {"mounts": {"database/": {"type": "database"}}, "password_policies": {"letters": LETTERS},
                 "plugins": {"database/postgresql-database-plugin": {"sha256": digest, "command": "postgresql-database-plugin"}},
                 "databases": {"database/trading": {
                     "plugin_name": "postgresql-database-plugin", "username": "keeper", "password_policy": "letters",
                     "allowed_roles": ["bot"], "secret": {"password": "vault:kv/kraken-micro/database/keeper#password"},
                     "connection_url": "postgresql://{{username}}:{{password}}@%s:%d/postgres?sslmode=disable" % (gateway, server.port)}},
                 "database_static_roles": {"database/bot": {"db_name": "trading", "username": "standing", "rotation_period": "24h"}}}
        # The store fills in user and password, not Ansible: in an inventory such a text is written with !unsafe.
        text = json.dumps({"secrets_config": wants, "secrets_plugins": True})
        (tmp_path / "config.yml").write_text(text.replace('"postgresql://', '!unsafe "postgresql://'))
        play = tmp_path / "database.yml"
        play.write_text(yaml.safe_dump([{"hosts": "stores", "gather_facts": False, "vars_files": [str(tmp_path / "config.yml")],
                                         "roles": ["secrets"]}]))
        made = run(str(play))
        assert made.code == 0, made.output[-4000:]
        yield server
        lab.delete("sys/mounts/database", "sys/policies/password/letters", "sys/plugins/catalog/database/postgresql-database-plugin",
                   "kv/metadata/kraken-micro/database/keeper")
        play.write_text(yaml.safe_dump([{"hosts": "stores", "gather_facts": False, "roles": ["secrets"]}]))
        again = run(str(play))
        assert again.code == 0, again.output[-3000:]


def test_a_database_password_is_rotated_and_what_is_not_in_code_is_drift(lab: Lab, database: postgres.Postgres) -> None:
    gateway = lab.address["vault"].rpartition(".")[0] + ".1"
    asked = ["-e", "rotate=database_password", "-e", "rotate_role=database/bot", "-e",
             f"rotate_proof_url=postgres://{gateway}:{database.port}/postgres"]
    before = proving.static_password(client.login(lab.settings, None), "database/bot")
    predicted = run(f"{OPERATE}/rotate_secrets.yml", "--check", *asked)
    assert predicted.code == 0, predicted.output[-3000:]
    assert proving.static_password(client.login(lab.settings, None), "database/bot") == before
    done = run(f"{OPERATE}/rotate_secrets.yml", *asked, "-vvvv", "--diff")
    assert done.code == 0, done.output[-4000:]
    assert predicted.changes() == done.changes() == {("controller", "vault_database_password:database/bot", "update")}
    after = proving.static_password(client.login(lab.settings, None), "database/bot")
    assert 'new: authenticated; old: password authentication failed for user "standing"' in done.words.replace('\\"', '"')
    assert database.ask("standing", after[1], "select 1") == "1"
    assert "password authentication failed" in database.ask("standing", before[1], "select 1", fails=True)
    assert leaked(done, {"old": before[1], "new": after[1], "keeper": KEEPER}) == []
    # A server that trusts anybody lets the old one in as well: the run ends red and says where to look.
    database.trust()
    trusted = run(f"{OPERATE}/rotate_secrets.yml", *asked)
    assert trusted.code == 2
    assert "the database did not refuse the old password" in trusted.words
    assert "pg_hba.conf" in trusted.words
    database.trust(False)
    # The lab's own code knows of no database: drift names what is there and not in code, and removes nothing.
    drift = run(f"{OPERATE}/drift.yml")
    assert drift.code == 2
    assert {("vault", "vault_mount:database/", "surplus"), ("vault", "vault_password_policy:letters", "surplus")} <= drift.changes()
    assert database.ask("standing", proving.static_password(client.login(lab.settings, None), "database/bot")[1], "select 1") == "1"


def agent_play(lab: Lab, place: Path) -> Path:
    """Write a play that gives the paper half its key by the store's agent, as docs/how-to/deliver-by-agent.md shows it."""
    agent = {"secrets_agent_process": "wire", "secrets_agent_user": "golive-agent", "secrets_agent_unit": "bot-wire.service",
             "secrets_agent_interval": "2s", "secrets_agent_secrets": [{"name": "exchange_key", "path": "exchange/wire", "field": "key"}]}
    processes = {"wire": {"reads": ["exchange/wire"], "from": [f"{lab.address['bot']}/32"], "token_period": PERIOD_S, "secret_id_ttl": 120}}
    rules = yaml.safe_load((INVENTORY.parent / "group_vars/rehearsal/network.yml").read_text())["firewall_outbound"]
    store = {"name": "store", "protocol": "tcp", "ports": [8200], "destinations": [lab.address["vault"]]}
    path = place / "agent.yml"
    path.write_text(yaml.safe_dump([
        {"hosts": "stores", "gather_facts": False, "roles": [{"role": "secrets", "vars": {"secrets_processes": processes}}]},
        {"hosts": "bots", "gather_facts": False,
         "roles": [{"role": "firewall", "vars": {"firewall_outbound": [*rules, store]}}],
         "tasks": [{"name": "User of the agent", "accounts": {"groups": [{"name": "golive-agent", "system": True}], "users": [
             {"name": "golive-agent", "group": "golive-agent", "system": True, "home": "/nonexistent", "shell": "/usr/sbin/nologin"}]}},
                   {"name": "Agent", "include_role": {"name": "secrets", "tasks_from": "agent"}, "vars": agent}]}]))
    return path


def authenticated() -> bool | None:
    """Return what the agent's own metric says on the bot's host."""
    url = "http://127.0.0.1:8300/agent/v1/metrics?format=prometheus"
    text = on("bot", "python3", "-c", f"import urllib.request as u; print(u.urlopen('{url}', timeout=5).read().decode())", check=False)
    values = [line.split()[-1] for line in text.splitlines() if line.startswith("vault_agent_authenticated")]
    return float(values[-1]) == 1.0 if values else None


def test_the_agent_delivers_to_the_bots_unit_and_the_bot_outlives_a_sealed_store(lab: Lab, tmp_path: Path) -> None:
    play, began = agent_play(lab, tmp_path), utc()
    first = run(str(play))
    assert first.code == 0, first.output[-5000:]
    file = "/run/golive-agent/wire/secrets/exchange_key"
    key = lab.secret(WIRE, "key")
    assert on("bot", "cat", file) == key
    assert on("bot", "stat", "-f", "-c", "%T", file).strip() == "tmpfs"
    assert on("bot", "cat", "/run/credentials/bot-wire.service/exchange_key") == key
    assert file in on("bot", "systemctl", "cat", "bot-wire.service")
    # The bot has it from systemd, not from the agent.
    assert "Permission denied" in on("bot", "sh", "-c", f"runuser -u bot -- cat {file} 2>&1", check=False)
    second = run(str(play))
    assert second.code == 0, second.output[-3000:]
    assert "changed=0" in next(line for line in second.output.splitlines() if line.startswith("bot "))
    # The process' own login, renewed and not repeated; none at all where its agent goes on from a run before.
    assert lab.logins(began, utc()).get("kraken-micro-wire", 0) <= 1
    await_that(lambda: health()["reconciled"] is True, "the bot agrees with the venue")
    # A rotation waits for the agent: the new key is delivered, then the bot is restarted.
    rotated = run(f"{OPERATE}/rotate_secrets.yml", "-e", f"rotate_agent_file={file}")
    assert rotated.code == 0, rotated.output[-4000:]
    assert on("bot", "cat", "/run/credentials/bot-wire.service/exchange_key") == lab.secret(WIRE, "key") != key
    # Sealed for longer than the lease: the bot goes on, and a metric says that what it holds is old.
    pid, calls = health()["pid"], len(lab.requests())
    on("vault", "systemctl", "restart", "vault.service")
    await_that(lambda: authenticated() is False, "the metric says that the lease is lost", 60 + 3 * PERIOD_S)
    assert health()["pid"] == pid
    on("bot", "systemctl", "restart", "bot-wire.service")                               # even a restart finds its key in memory
    await_that(lambda: health()["reconciled"] is True, "the bot comes back without the store")
    assert run(f"{OPERATE}/unseal.yml").code == 0
    assert len(lab.requests()) > calls
    healed = run(str(play))
    assert healed.code == 0, healed.output[-3000:]
    await_that(lambda: authenticated() is True, "the agent is logged in again")
