"""Role guard on three real hosts: the dry run is true, the words arrive, the kill starts, life is seen, and the key opens nothing else."""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from golive.guard import decide

from tests.unit.guard.test_acts import Receiver

from ..exchange_sandbox.conftest import Sandbox, free_port, make_sandbox  # noqa: F401 (fixture)
from ..sets.conftest import Lab, wait_for
from .tls import self_signed

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1500)]      # four runs of three roles, on a machine that others load too
ROOT = Path(__file__).resolve().parents[3]
GATEWAY = "172.30.89.1"
INVENTORY = """\
all:
  children:
    rehearsal:
      hosts:
        subject: {ansible_host: 172.30.89.21}
        bot: {ansible_host: 172.30.89.22}
        outside: {ansible_host: 172.30.89.23}
      vars: {lab_network: 172.30.89.0/24, lab_name: guardtest}
    targets: {hosts: {subject: {}, bot: {}, outside: {}}}
"""
ACTIONS = {**dict.fromkeys(decide.CHECKS, "no_entries"), "naked_position": "kill", "foreign_order": "kill", "unheard": "page"}
PROFILE = ROOT / "inventories/kraken-micro/group_vars"
PLACES = ("/etc/golive", "/usr/local/lib/golive", "/var/lib/golive", "/var/lib/golive/epochs")
KILL = "#!/bin/sh\ntouch /var/lib/golive/epochs/$(date +%s)\n"


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    place = tmp_path_factory.mktemp("guard")
    (place / "lab.yml").write_text(INVENTORY)
    (place / "group_vars").symlink_to(ROOT / "molecule/lab/inventory/group_vars")
    lab = Lab(place / "lab.yml", place)
    done = lab.tool("up")
    assert done.returncode == 0, done.stdout + done.stderr
    yield lab
    lab.tool("down")


@pytest.fixture(scope="module")
def certificate(hosts: Lab) -> Path:
    """One certificate for what listens on the lab's gateway; the hosts are given it as authority."""
    return self_signed(hosts.place, GATEWAY)[1]


@pytest.fixture
def venue(certificate: Path, make_sandbox: Callable[..., Sandbox]) -> Iterator[tuple[Sandbox, str]]:  # noqa: F811
    """A sandbox, and the address at which the hosts reach it: TLS on the lab's gateway, in front of the loopback."""
    sandbox = make_sandbox()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    port, loop = free_port(), asyncio.new_event_loop()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except (OSError, ssl.SSLError):
            pass
        finally:
            writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", int(sandbox.venue.rsplit(":", 1)[1]))
        await asyncio.gather(pass_on(reader, back), pass_on(there, writer))

    loop.run_until_complete(asyncio.start_server(serve, GATEWAY, port, ssl=context))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield sandbox, f"https://{GATEWAY}:{port}"

    async def finish() -> None:
        pending = asyncio.all_tasks(loop) - {asyncio.current_task()}
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)

    asyncio.run_coroutine_threadsafe(finish(), loop).result(30)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(30)
    loop.close()


@pytest.fixture(scope="module")
def pages(certificate: Path) -> Iterator[tuple[type[Receiver], str]]:
    """What people are paged by, on the lab's gateway."""
    handler = type("Here", (Receiver,), {"taken": [], "status": 200})
    server = HTTPServer((GATEWAY, 0), handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield handler, f"https://{GATEWAY}:{server.server_port}"
    server.shutdown()
    server.server_close()


def host_key(lab: Lab, address: str) -> str:
    lines = (lab.place / "known_hosts").read_text().splitlines()
    return next(line.split(" ", 1)[1] for line in lines if line.startswith(address + " ssh-ed25519"))


def plays(lab: Lab, venue_url: str, pages_url: str, key: Path, token: Path) -> list[dict[str, Any]]:
    spec = yaml.safe_load((ROOT / "roles/guard/meta/argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
    given = {
        "guard_system": "guardtest", "guard_venue": "kraken", "guard_url": venue_url, "guard_ca_file": "/etc/golive/venue.crt",
        "guard_pairs": ["SHIB/USDT"], "guard_client_id_prefix": "gl", "guard_credential": f"file:{key}", "guard_page_url": pages_url,
        "guard_page_ca_file": "/etc/golive/venue.crt", "guard_page_credential": f"file:{token}", "guard_loss_day": 20.0,
        "guard_loss_total": 30.0, "guard_exposure": 500.0, "guard_positions": 3, "guard_naked_grace_s": 5.0, "guard_decision_age_s": 60.0,
        "guard_blind_s": 60.0, "guard_acknowledge_s": 10.0, "guard_bot_unit": "bot-live.service", "guard_smaller_stage": {},
        "guard_bot_health_url": "http://127.0.0.1:8000/health", "guard_actions": ACTIONS, "guard_heartbeat_every_s": 2.0,
        "guard_silent_s": 20.0,
        "guard_bot_address": "172.30.89.22", "guard_bot_host_key": host_key(lab, "172.30.89.22"), "guard_outside_address": "172.30.89.23",
        "guard_outside_host_key": host_key(lab, "172.30.89.23"), "guard_authorized_keys": [host_key(lab, "172.30.89.21")],
    }  # fmt: skip
    assert set(given) <= set(spec)
    profile: dict[str, Any] = {}    # the role's defaults are the profile's names
    for path in [*sorted((PROFILE / "all").glob("*.yml")), PROFILE / "rehearsal/exchange.yml", PROFILE / "rehearsal/golive.yml"]:
        profile.update(yaml.safe_load(path.read_text()))
    given = {**profile, **given}
    live = {"managed_files": {"directories": [{"path": "/run/bot"}, {"path": "/run/bot/live"}]}}
    certificate = {"path": "/etc/golive/venue.crt", "source": str(lab.place / "certificate.pem")}
    authority = {"managed_files": {"directories": [{"path": "/etc/golive"}], "files": [certificate]}}
    machine = {
        "managed_files": {
            "directories": [{"path": path} for path in PLACES],
            "files": [
                {"path": "/usr/local/lib/golive/kill_switch.py", "content": KILL, "mode": "0750"},
                certificate,
            ],
        }
    }
    return [
        {"hosts": "bot", "pre_tasks": [live], "roles": ["guard"], "vars": {**given, "guard_side": "bot"}},
        {"hosts": "outside", "pre_tasks": [authority], "roles": ["guard"], "vars": {**given, "guard_side": "outside"}},
        {"hosts": "subject", "pre_tasks": [machine], "roles": ["guard"], "vars": given},
    ]


def test_three_bare_hosts_are_built_as_predicted_and_a_naked_position_is_acted_on(
    hosts: Lab, venue: tuple[Sandbox, str], pages: tuple[type[Receiver], str]
) -> None:
    sandbox, url = venue
    sandbox.account(tier="unlimited")
    bot = sandbox.key()
    made = sandbox.ask(
        "POST",
        "keys",
        {"account": "bot", "rights": ["query-funds", "query-open-trades", "query-closed-trades", "close-trades"]},
        201,
    )
    key, token = hosts.place / "guard_key", hosts.place / "token"
    key.write_text(json.dumps({"key": made["key"], "secret": made["secret"]}))
    token.write_text("word")
    for path in (key, token):
        path.chmod(0o600)
    objects = hosts.four_runs(plays(hosts, url, pages[1], key, token))
    units = ("golive-guard.service", "golive-guard-kill.path", "golive-guard-silence.service")
    assert {(f"unit:{name}", "start") for name in units} <= set(objects)

    def state() -> dict[str, Any]:
        return dict(json.loads(hosts.inside("cat", "/var/lib/golive-guard/state.json")))

    wait_for(lambda: state()["readings"] >= 2, "the guard to read the account")
    assert state()["findings"] == []
    wait_for(lambda: hosts.tool("exec", "outside", "--", "test", "-e", "/var/lib/golive-heartbeat/guard").returncode == 0, "its heartbeat")
    bot.buy(cl_ord_id="gle0001")
    wait_for(lambda: hosts.tool("exec", "bot", "--", "test", "-e", "/run/bot/live/no_entries").returncode == 0, "the word to arrive")
    wait_for(lambda: hosts.inside("ls", "/var/lib/golive/epochs").strip(), "the kill switch to run")
    wait_for(lambda: "no_entries" in state()["acknowledged"], "the acknowledgement")
    assert state()["killed"] == ["naked_position:SHIB"]
    shown = hosts.inside("systemctl", "show", "--property=User,NoNewPrivileges,ProtectSystem", "golive-guard.service")
    assert set(shown.split()) == {"User=golive-guard", "NoNewPrivileges=yes", "ProtectSystem=strict"}


def test_the_guards_key_opens_one_command_on_each_host(hosts: Lab) -> None:
    ssh = "ssh -F /dev/null -i /etc/ssh/ssh_host_ed25519_key -o UserKnownHostsFile=/etc/golive/guard_known_hosts -o BatchMode=yes"
    tried = f"""echo '{{"words": ["kill"]}}' | {ssh} golive-guard@172.30.89.22 id; echo "exit $?" """
    answer = hosts.inside("sh", "-c", tried)
    assert "exit 64" in answer
    assert "uid=" not in answer
    assert "uid=" not in hosts.inside("sh", "-c", f"{ssh} golive-guard@172.30.89.23 id </dev/null; true")


def test_the_guards_silence_is_paged_from_the_host_outside_and_so_is_its_return(hosts: Lab, pages: tuple[type[Receiver], str]) -> None:
    def told(status: str) -> bool:
        return any(one["labels"]["alertname"] == "GuardSilent" and one["status"] == status for _, _, body in pages[0].taken for one in body)

    assert not told("firing")
    hosts.inside("systemctl", "kill", "--signal=SIGSTOP", "golive-guard.service")    # it lives, and says nothing
    wait_for(lambda: told("firing"), "the page about its silence")
    hosts.inside("systemctl", "kill", "--signal=SIGCONT", "golive-guard.service")
