"""The role secrets on three hosts: predicted and made, four runs; the leader's host dies under a writer; all is put back by playbooks."""
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from golive.errors import GoliveError
from golive.store import bring_up, client, nodes, people
from golive.store.settings import Settings

from ..sets.conftest import Lab, wait_for
from .conftest import archive
from .writing import writing

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1800)]
ROOT = Path(__file__).resolve().parents[3]
NAMES = ("one", "two", "three")
ADDRESS = {name: f"172.30.87.{21 + number}" for number, name in enumerate(NAMES)}
INVENTORY = f"""\
all:
  children:
    rehearsal:
      hosts:
        controller: {{ansible_connection: local, ansible_python_interpreter: "{{{{ ansible_playbook_python }}}}"}}
        one: {{ansible_host: {ADDRESS['one']}}}
        two: {{ansible_host: {ADDRESS['two']}}}
        three: {{ansible_host: {ADDRESS['three']}}}
      vars: {{lab_network: 172.30.87.0/24, lab_name: clustertest}}
    targets: {{hosts: {{one: {{}}, two: {{}}, three: {{}}}}}}
    stores: {{hosts: {{one: {{}}, two: {{}}, three: {{}}}}}}
"""
PEOPLE = ["lab-ada", "lab-bob"]
CERTIFICATE = {"certificate": "/etc/golive/tls/x.crt", "key": "/etc/golive/tls/x.key",
               "names": ["{{ inventory_hostname }}", "{{ ansible_host }}"]}


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    place = tmp_path_factory.mktemp("cluster")
    lab = Lab(place / "lab.yml", place)
    inventory = yaml.safe_load(INVENTORY)
    inventory["all"]["vars"] = variables(lab)
    (place / "lab.yml").write_text(yaml.safe_dump(inventory))
    (place / "group_vars").symlink_to(ROOT / "molecule/lab/inventory/group_vars")
    done = lab.tool("up")
    assert done.returncode == 0, done.stdout + done.stderr
    yield lab
    lab.tool("down")


def variables(lab: Lab) -> dict[str, Any]:
    url = {name: f"https://{address}:8200" for name, address in ADDRESS.items()}
    return {
        "golive_system": "cluster", "vault_address": url["one"], "vault_addresses": list(url.values()),
        "vault_controller_ca_file": str(lab.place / "ca.crt"), "vault_controller_identity": str(lab.place / "identity.json"),
        "vault_ca_file": "/usr/local/share/ca-certificates/golive-lab.crt", "secrets_address": "https://{{ ansible_host }}:8200",
        **archive(),
        "secrets_tls_certificate": CERTIFICATE["certificate"], "secrets_tls_key": CERTIFICATE["key"], "secrets_keepers": PEOPLE,
        "secrets_shares": str(lab.place / "shares"), "secrets_rehearsal_people": str(lab.place / "people"),
        "secrets_members": [{"name": name, "address": url[name]} for name in NAMES],
        "tls_authority_certificate": str(lab.place / "ca.crt"), "tls_authority_key": str(lab.place / "ca.key"),
        "tls_authority_create_as": "golive cluster test", "tls_days": 3, "tls_renew_before_days": 1, "tls_certificates": [CERTIFICATE],
        "tls_trust": ["/usr/local/share/ca-certificates/golive-lab.crt"]}


# As playbooks/build/hosts.yml has it: certificates of all, then the store node by node.
BUILD: list[dict[str, Any]] = [{"hosts": "stores", "roles": ["tls"]}, {"hosts": "stores", "serial": 1, "roles": ["secrets"]}]


def operate(name: str) -> list[dict[str, Any]]:
    """Return the plays of a playbook of playbooks/operate."""
    plays: list[dict[str, Any]] = yaml.safe_load((ROOT / f"playbooks/operate/{name}.yml").read_text())
    return plays


def settings(lab: Lab, name: str = "one") -> Settings:
    return Settings(f"https://{ADDRESS[name]}:8200", lab.place / "ca.crt", lab.place / "identity.json")


def states(lab: Lab) -> dict[str, str]:
    found = nodes.look(settings(lab), [f"https://{one}:8200" for one in ADDRESS.values()])
    return {name: one.state for name, one in zip(NAMES, found, strict=True)}


def whole(lab: Lab) -> bool:
    return sorted(states(lab).values()) == ["active", "standby", "standby"]


def logged_in(lab: Lab) -> client.hvac.Client | None:
    try:
        return client.login(nodes.choose(settings(lab), [f"https://{one}:8200" for one in ADDRESS.values()]), None)
    except GoliveError:
        return None


def test_three_hosts_become_one_store_and_a_second_run_changes_nothing(hosts: Lab) -> None:
    made = hosts.four_runs(BUILD)
    assert {op for thing, op in made if thing.startswith("vault:")} == {"initialise", "unseal"}
    assert whole(hosts)
    keepers = bring_up.Keepers(PEOPLE, people.enrol(hosts.place / "people", PEOPLE), 2, hosts.place / "shares", hosts.place / "people")
    root = bring_up._root(client.unauthenticated(settings(hosts), 60), keepers)
    assert nodes.await_voters(root, 3, 0) == sorted(NAMES)
    root.auth.token.revoke_self()


def test_the_leaders_host_dies_under_a_writer_and_no_acknowledged_write_is_lost(hosts: Lab) -> None:
    addresses = [f"https://{one}:8200" for one in ADDRESS.values()]

    def connect() -> client.hvac.Client:
        return client.login(nodes.choose(settings(hosts), addresses), None)

    with writing(connect, "kv/cluster") as writer:
        writer.more(10, 120)
        lost = next(name for name, state in states(hosts).items() if state == "active")
        hosts.inside("systemctl", "kill", "--signal=KILL", "--kill-whom=all", "vault.service", host=lost)
        before = writer.more(10, 180)    # by another leader
    # A node that has not heard of the new leader yet still names the dead one.
    reader = wait_for(lambda: logged_in(hosts), "a reader finds a node that serves")
    assert writer.lost(reader) == []
    print(f"{len(writer.acknowledged)} acknowledged writes, none lost, {before} of them before the leader {lost} was killed")


def test_sealed_standby_and_missing_are_told_apart_and_put_back_by_playbooks(hosts: Lab) -> None:
    # systemd has started the killed leader again: it is back, sealed.
    wait_for(lambda: sorted(states(hosts).values()) == ["active", "sealed", "standby"], "the killed one is back, sealed")
    sealed = next(name for name, state in states(hosts).items() if state == "sealed")
    unsealed = hosts.run(operate("unseal")).must()
    assert f"https://{ADDRESS[sealed]}:8200 sealed" in " ".join(unsealed.text.split())
    wait_for(lambda: whole(hosts), "all three serve")
    gone = next(name for name, state in states(hosts).items() if state == "standby")
    hosts.inside("systemctl", "stop", "vault.service", host=gone)
    refused = hosts.run(operate("restart_store"))
    assert refused.rc == 2
    words = " ".join(refused.text.split())
    assert "not every node of the store serves, so none is restarted" in words
    assert f"https://{ADDRESS[gone]}:8200 missing" in words
    hosts.inside("systemctl", "start", "vault.service", host=gone)
    wait_for(lambda: states(hosts)[gone] == "sealed", "the stopped one is back, sealed")
    hosts.run(operate("unseal")).must()
    wait_for(lambda: whole(hosts), "all three serve again")
    pids = {name: hosts.inside("systemctl", "show", "--property=MainPID", "--value", "vault.service", host=name) for name in NAMES}
    hosts.run(operate("restart_store")).must()
    after = {name: hosts.inside("systemctl", "show", "--property=MainPID", "--value", "vault.service", host=name) for name in NAMES}
    assert whole(hosts)
    assert all(pids[name] != after[name] for name in NAMES)
    assert hosts.run(BUILD).must().objects == []
