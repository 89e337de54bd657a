"""Three nodes: each state has its own word, and losing the leader loses no write that was acknowledged."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from golive.errors import GoliveError
from golive.store import bring_up, client, nodes, people, rolling, settings
from golive.store.settings import Settings

from .conftest import Server, await_that, certificate, prepare
from .writing import writing

pytestmark = pytest.mark.timeout(600)
PEOPLE = ["lab-ada"]
PATIENCE_S = 120


@dataclass
class Cluster:
    servers: list[Server]
    keepers: bring_up.Keepers
    token: str

    @property
    def addresses(self) -> list[str]:
        return [one.settings.address for one in self.servers]

    @property
    def first(self) -> Settings:
        return self.servers[0].settings

    def states(self) -> list[str]:
        return [node.state for node in nodes.look(self.first, self.addresses)]

    def leader(self) -> Server:
        await_that(lambda: "active" in self.states())
        return self.servers[self.states().index("active")]

    def connected(self) -> client.hvac.Client:
        found = client.unauthenticated(nodes.choose(self.first, self.addresses))
        found.token = self.token
        return found


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folders = [tmp_path_factory.mktemp(f"node{number}") for number in range(3)]
    servers = [prepare(folder, f"node{number}") for number, folder in enumerate(folders)]
    for one in servers:  # one authority for all: each has the first one's certificate
        for name in ("server.crt", "server.key"):
            (one.folder / name).write_bytes((folders[0] / name).read_bytes())
        joins = "".join(f'retry_join {{ leader_api_addr = "{other.settings.address}"\n leader_ca_cert_file = "{one.folder}/server.crt" }}\n'
                        for other in servers if other is not one)
        text = (one.folder / "vault.hcl").read_text()
        (one.folder / "vault.hcl").write_text(text.replace("  performance_multiplier = 1\n", "  performance_multiplier = 1\n" + joins))
    servers = [Server(one.folder, replace(one.settings, ca_file=folders[0] / "server.crt")) for one in servers]
    secret = tmp_path_factory.mktemp("people")
    keepers = bring_up.Keepers(PEOPLE, people.enrol(secret, PEOPLE), 1, folders[0] / "shares", secret)
    servers[0].start()
    anonymous = client.unauthenticated(servers[0].settings, 60)
    assert nodes.look(servers[0].settings, [servers[0].settings.address])[0].state == "empty"
    bring_up._initialise(anonymous, keepers)
    assert nodes.look(servers[0].settings, [servers[0].settings.address])[0].state == "sealed"
    bring_up._unseal(anonymous, keepers)
    for one in servers[1:]:
        assert [change["op"] for change in bring_up.join(one.settings, keepers, dry=True)] == ["unseal"]
        one.start()
        assert "unseal" in [change["op"] for change in bring_up.join(one.settings, keepers, dry=False)]
    root = bring_up._root(client.unauthenticated(servers[0].settings, 60), keepers)
    root.sys.enable_secrets_engine("kv", path="kv", options={"version": "2"})
    await_that(lambda: _answers(root))
    with pytest.raises(GoliveError, match=r"the store cannot lose a node yet.*4"):
        nodes.await_voters(root, 4, 0)
    assert nodes.await_voters(root, 3, nodes.VOTE_S) == ["node0", "node1", "node2"]
    yield Cluster(servers, keepers, str(root.token))
    for one in servers:
        one.kill()


def _answers(root: client.hvac.Client) -> bool:
    try:
        root.secrets.kv.v2.create_or_update_secret(path="slice/ready", secret={"n": "0"}, mount_point="kv")
    except client.VaultError:  # the mount is being upgraded to version 2
        return False
    return True


def test_a_second_run_changes_nothing_on_any_member(cluster: Cluster) -> None:
    await_that(lambda: sorted(cluster.states()) == ["active", "standby", "standby"])
    for one in cluster.servers:
        assert bring_up.join(one.settings, cluster.keepers, dry=True) == []
        assert bring_up.join(one.settings, cluster.keepers, dry=False) == []


def test_losing_the_leader_loses_no_acknowledged_write_and_a_reader_finds_another_node(cluster: Cluster) -> None:
    with writing(cluster.connected, "kv/slice") as writer:
        writer.more(20, PATIENCE_S)
        lost = cluster.leader()
        lost.kill()
        before = writer.more(10, PATIENCE_S)
    left = cluster.states()
    assert left[cluster.servers.index(lost)] == "missing"
    assert "active" in left
    reader = cluster.connected()
    assert len(writer.acknowledged) >= 30
    assert writer.lost(reader) == []
    print(f"{len(writer.acknowledged)} acknowledged writes, none lost, {before} of them before the leader was killed")
    lost.start()
    assert {"op": "unseal", "object": f"vault:{lost.settings.address}", "before": "sealed", "after": "unsealed"} in \
        bring_up.join(lost.settings, cluster.keepers, dry=False)
    await_that(lambda: sorted(cluster.states()) == ["active", "standby", "standby"])


def test_a_rolling_restart_takes_the_active_node_last_and_a_writer_goes_on(cluster: Cluster) -> None:
    await_that(lambda: sorted(cluster.states()) == ["active", "standby", "standby"])
    active = cluster.leader()
    order = rolling.order(nodes.look(cluster.first, cluster.addresses))
    assert order[-1] == active.settings.address
    written = 0
    for address in order:
        server = next(one for one in cluster.servers if one.settings.address == address)
        before = server.process
        rolling.restart(server.settings, cluster.addresses, cluster.keepers, server.restart)
        assert server.process is not before
        assert sorted(cluster.states()) == ["active", "standby", "standby"]
        await_that(lambda: _answers(cluster.connected()))
        written += 1
    assert written == 3


def test_no_node_is_restarted_while_another_is_away_or_nobody_can_unseal_it(cluster: Cluster) -> None:
    leader = cluster.leader()
    other, third = (one for one in cluster.servers if one is not leader)
    touched: list[str] = []
    nobody = replace(cluster.keepers, secret_keys=None)
    with pytest.raises(GoliveError, match="lab-ada have to unseal it"):
        rolling.restart(third.settings, cluster.addresses, nobody, lambda: touched.append("third"))
    other.kill()
    with pytest.raises(GoliveError, match=r"not every node of the store serves, so none is restarted.*missing"):
        rolling.restart(third.settings, cluster.addresses, cluster.keepers, lambda: touched.append("third"))
    assert touched == []
    other.start()
    bring_up.join(other.settings, cluster.keepers, dry=False)
    await_that(lambda: sorted(cluster.states()) == ["active", "standby", "standby"])


def test_sealed_standby_missing_and_stranger_are_told_apart(cluster: Cluster, tmp_path: Path) -> None:
    leader = cluster.leader()
    others = [one for one in cluster.servers if one is not leader]
    others[0].kill()
    others[1].restart()
    await_that(lambda: nodes.look(cluster.first, [others[1].settings.address])[0].state == "sealed")
    found = {node.address: node.state for node in nodes.look(cluster.first, cluster.addresses)}
    assert found[others[0].settings.address] == "missing"
    assert found[others[1].settings.address] == "sealed"
    certificate(tmp_path)
    strangers = nodes.look(replace(cluster.first, ca_file=tmp_path / "server.crt"), [others[1].settings.address])
    assert [node.state for node in strangers] == ["stranger"]
    with pytest.raises(GoliveError, match=r"no node of the store serves.*sealed.*unseal.yml"):
        nodes.choose(cluster.first, [others[1].settings.address])
    others[0].start()
    for one in others:
        bring_up.join(one.settings, cluster.keepers, dry=False)
    await_that(lambda: sorted(cluster.states()) == ["active", "standby", "standby"])


def test_the_addresses_of_all_nodes_come_from_the_inventory(cluster: Cluster) -> None:
    one = {"vault_address": "https://a:8200", "vault_controller_ca_file": "x", "vault_controller_identity": "y"}
    assert settings.addresses(one) == ["https://a:8200"]
    assert settings.addresses({**one, "vault_addresses": ["https://a:8200", "https://b:8200"]}) == ["https://a:8200", "https://b:8200"]
