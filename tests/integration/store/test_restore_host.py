"""A store of a program that was there already (`secrets_install: present`), and its backup on an empty host, by the people's playbooks."""
from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from golive.store import client, nodes
from golive.store.settings import Settings

from ..sets.conftest import Lab, Run, wait_for
from .conftest import archive, program

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1200)]
ROOT = Path(__file__).resolve().parents[3]
ADDRESS = {"one": "172.30.86.21", "spare": "172.30.86.22"}
PEOPLE = ["lab-ada", "lab-bob"]
PLACE, TRUST = "/usr/local/bin", "/usr/local/share/ca-certificates/golive-lab.crt"
BUILD: list[dict[str, Any]] = [{"hosts": "stores", "roles": ["tls"]}, {"hosts": "stores", "roles": ["secrets"]}]
VERIFY = [{"hosts": "stores", "tasks": [{"name": "Verify", "include_role": {"name": "secrets", "tasks_from": "verify"}}]}]


def program_on(mode: str) -> list[dict[str, Any]]:
    """Return a play that lays the program down as an operator would, before golive comes."""
    return [{"hosts": "stores", "tasks": [{"name": "Program", "ansible.builtin.copy": {
        "src": str(program()), "dest": f"{PLACE}/{program().name}", "mode": mode, "owner": "root", "group": "root"}}]}]


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    place = tmp_path_factory.mktemp("restore")
    lab = Lab(place / "lab.yml", place)
    controller = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    present = {"secrets_install": "present", "secrets_program_folder": PLACE}
    found = {"all": {"vars": variables(lab), "children": {
        "rehearsal": {"hosts": {"controller": controller, "one": {"ansible_host": ADDRESS["one"], **present},
                                "spare": {"ansible_host": ADDRESS["spare"]}},
                      "vars": {"lab_network": "172.30.86.0/24", "lab_name": "restoretest"}},
        "targets": {"hosts": {"one": {}, "spare": {}}}, "stores": {"hosts": {"one": {}}}}}}
    (place / "lab.yml").write_text(yaml.safe_dump(found))
    (place / "group_vars").symlink_to(ROOT / "molecule/lab/inventory/group_vars")
    done = lab.tool("up")
    assert done.returncode == 0, done.stdout + done.stderr
    yield lab
    lab.tool("down")


def variables(lab: Lab) -> dict[str, Any]:
    certificate = {"certificate": "/etc/golive/tls/{{ inventory_hostname }}.crt", "key": "/etc/golive/tls/{{ inventory_hostname }}.key",
                   "names": ["{{ inventory_hostname }}", "{{ ansible_host }}"]}
    return {
        "golive_system": "restore", "vault_address": f"https://{ADDRESS['one']}:8200",
        "vault_controller_ca_file": str(lab.place / "ca.crt"), "vault_controller_identity": str(lab.place / "identity.json"),
        "secrets_keepers": PEOPLE, "secrets_shares": str(lab.place / "shares"),
        "secrets_rehearsal_people": str(lab.place / "people"), **archive(),
        "store_backup_folder": str(lab.place / "backups"),
        "tls_authority_certificate": str(lab.place / "ca.crt"), "tls_authority_key": str(lab.place / "ca.key"),
        "tls_authority_create_as": "golive restore test", "tls_days": 3, "tls_renew_before_days": 1, "tls_certificates": [certificate],
        "tls_trust": [TRUST], "vault_ca_file": TRUST}


def settings(lab: Lab, name: str = "one") -> Settings:
    return Settings(f"https://{ADDRESS[name]}:8200", lab.place / "ca.crt", lab.place / "identity.json")


def state(lab: Lab, name: str) -> str:
    return nodes.look(settings(lab, name), [settings(lab, name).address])[0].state


def operate(lab: Lab, name: str, *words: str) -> Run:
    """Run a playbook of playbooks/operate on these hosts."""
    plays: list[dict[str, Any]] = yaml.safe_load((ROOT / f"playbooks/operate/{name}.yml").read_text())
    return lab.run(plays, *words)


def words(done: Run) -> str:
    return " ".join(done.text.split())


def test_a_program_that_is_missing_or_that_anybody_may_replace_is_refused(hosts: Lab) -> None:
    missing = hosts.run(BUILD)
    assert missing.rc == 2
    there = f"{PLACE}/{program().name}"
    assert f"secrets_install is present, but {there} is no program of root's that only root may write; install it" in words(missing)
    hosts.run(program_on("0757")).must()
    loose = hosts.run(BUILD)
    assert loose.rc == 2
    assert "is no program of root's that only root may write" in words(loose)


def test_a_store_is_made_of_the_program_that_is_there(hosts: Lab) -> None:
    hosts.run(program_on("0755")).must()
    made = hosts.four_runs(BUILD)
    assert {op for thing, op in made if thing == f"vault:https://{ADDRESS['one']}:8200"} == {"initialise", "unseal"}
    assert not [thing for thing, _ in made if "/opt/vault" in thing]
    hosts.run(VERIFY).must()


def test_a_drill_makes_the_backup_a_store_on_an_empty_host_and_seals_it_again(hosts: Lab) -> None:
    connected = client.login(settings(hosts), None)
    for number in range(3):
        client.write_secret(connected, f"kv/restore/exchange/{number}", {"key": f"canary-{number}-kQ9x7LpA3z"})
    operate(hosts, "restore_store", "-e", "restore_drill=false").must()
    wanted = operate(hosts, "restore_host", "--check", "-e", "restore_to=spare").must()
    done = operate(hosts, "restore_host", "-e", "restore_to=spare", "-vvvv").must()
    assert wanted.by_host == done.by_host
    address = f"https://{ADDRESS['spare']}:8200"
    assert ("spare", f"vault:{address}", "restore") in done.by_host
    assert f"3 of 3 secrets of {backup_time(hosts)} are equal at {address}; it is sealed again" in words(done)
    assert "canary-" not in done.text
    wait_for(lambda: state(hosts, "spare") == "sealed", "the drill's store is sealed")
    # The audit log of that host has its own first line, and the saved store was not asked.
    assert hosts.inside("stat", "-c", "%a", "/var/log/vault/audit.log", host="spare").strip() == "600"
    assert state(hosts, "one") == "active"
    again = operate(hosts, "restore_host", "-e", "restore_to=spare").must()
    assert again.objects == []
    assert "3 of 3 secrets" in words(again)


def test_bad_input_is_one_sentence_and_another_store_is_refused(hosts: Lab) -> None:
    for given, said in ((["-e", "restore_to=nowhere"], "restore_to is nowhere"), ([], "restore_to is not set"),
                        (["-e", "restore_to=spare", "-e", "restore_for=fun"], "restore_for is fun")):
        refused = operate(hosts, "restore_host", *given)
        assert refused.rc == 2
        assert said in words(refused)
        assert "Traceback" not in refused.text
        assert refused.objects == []


def test_when_the_stores_host_was_lost_the_backup_goes_on_serving(hosts: Lab) -> None:
    hosts.inside("systemctl", "stop", "vault.service", host="one")
    wait_for(lambda: state(hosts, "spare") == "sealed", "the drill's store is sealed")
    operate(hosts, "restore_host", "-e", "restore_to=spare", "-e", "restore_for=good").must()
    assert state(hosts, "spare") == "active"
    connected = client.login(settings(hosts, "spare"), None)
    for number in range(3):
        assert client.read_field(connected, f"kv/restore/exchange/{number}", "key") == f"canary-{number}-kQ9x7LpA3z"
    client.write_secret(connected, "kv/restore/after", {"key": "it takes writes"})


def backup_time(lab: Lab) -> str:
    manifest = max((lab.place / "backups").glob("store-*.manifest.json"))
    return str(json.loads(manifest.read_text())["at"])
