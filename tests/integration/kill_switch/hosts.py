"""The faults of a kill on real hosts: two kill machines and a bot's host in a lab, built by the role, the rehearsal exchange as venue.

    python -m tests.integration.kill_switch.hosts [--only a,b]

runs every fault alone at both venues and every pair at the venue that loopback did not choose for it, and writes
tests/records/kill_hosts.json, bound to the digest of the switch and of what runs it here. What differs from the pairs on loopback: the
fence is the role's ssh with its forced command, the bot that floods or places again is a process of the live unit on its own host, that
host's network goes down, the disk that is full is a mount of the kill machine, locks are held there, the second switch runs on the second
machine, and when the first dies the second one finishes. The venue is the same process behind TLS on the lab's gateway; its troubles are
its own. Clocks of containers are the kernel's and cannot be set apart: as on loopback, the venue's clock is moved, or the key's nonce is
ahead.
"""
from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import random
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from tests.integration.exchange_sandbox.conftest import Sandbox
from tests.integration.guard.tls import self_signed
from tests.integration.kill_switch import faults, pairs
from tests.integration.kill_switch.faults import BEFORE, FAULTS, GONE_AFTER_S, Futures, Kraken
from tests.integration.kill_switch.scene import FILE, PREFIX
from tests.integration.sets.conftest import ROOT, Lab

RECORD = pairs.RECORD.with_name("kill_hosts.json")
NETWORK, GATEWAY, LAB = "172.30.99.0/24", "172.30.99.1", "killtest"
KILLER, SECOND, BOT = "killer", "second", "bot"
ADDRESSES = {KILLER: "172.30.99.21", SECOND: "172.30.99.22", BOT: "172.30.99.23"}
UNIT, CASE, PROGRAM = "bot-live.service", "/run/golive-case", "/usr/local/lib/golive/kill_switch.py"
PATIENCE_S = 150.0
INVENTORY = {"all": {"children": {
    "rehearsal": {"hosts": {name: {"ansible_host": address} for name, address in ADDRESSES.items()},
                  "vars": {"lab_network": NETWORK, "lab_name": LAB}},
    "targets": {"hosts": {name: {} for name in ADDRESSES}},
    "kill_machines": {"hosts": {KILLER: {}, SECOND: {}}}}}}
# The bot of a case: it does one thing to the venue again and again, from its own host, until systemd ends it.
MISCHIEF = """
import json, sys, time
sys.path.insert(0, "/usr/local/lib/mischief")
import switch
given = json.load(open("/run/golive-case/bot.json"))
kraken = given["venue"] == "kraken"
secret = __import__("base64").b64decode(given["secret"]) if kraken else given["secret"].encode()
line = (switch.Kraken if kraken else switch.Binance)(given["url"], "/etc/golive/venue.crt", given["key"], secret)
number = 0
while True:
    number += 1
    try:
        fields = dict(given["order"])
        fields[given["id_field"]] = "%s%x%x" % (given["prefix"], number, time.time_ns() & 0xffffff)
        if kraken:
            line.private("AddOrder", **fields)
        else:
            line.of_futures().signed("POST", "/fapi/v1/order", **fields)
    except (switch.Refused, switch.Silent):
        pass
    time.sleep(given["pause"])
"""


def digest() -> str:
    """Return what the record is bound to."""
    parts = [FILE, Path(faults.__file__), Path(__file__), Path(pairs.__file__), FILE.with_name("stop_bot.py"),
             *sorted((ROOT / "roles/kill_switch").rglob("*.*"))]
    return "sha256:" + hashlib.sha256(b"\0".join(path.read_bytes() for path in parts)).hexdigest()


def runs() -> list[tuple[tuple[str, ...], str, str]]:
    """Return every fault alone at both venues, and every pair at the other venue than on loopback; policies in turn."""
    names = list(FAULTS)
    everything = [pair for pair in pairs.pairs() if len(pair) == 2]
    alone = [((name,), venue, ("flatten", "hold")[(index + shift) % 2])
             for index, name in enumerate(names) for shift, venue in enumerate(("kraken", "binance_usdm"))]
    return alone + [(pair, ("binance_usdm", "kraken")[index % 2], ("flatten", "hold")[index // 2 % 2])
                    for index, pair in enumerate(everything)]


class Gateway:
    """TLS on the lab's gateway, in front of the exchange on loopback."""

    def __init__(self, place: Path, behind: str) -> None:
        _, both = self_signed(place, GATEWAY)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(both)
        self._behind, self._loop = int(behind.rsplit(":", 1)[1]), asyncio.new_event_loop()
        with socket.socket() as handle:
            handle.bind((GATEWAY, 0))
            self.port = int(handle.getsockname()[1])
        self.url = "https://%s:%d" % (GATEWAY, self.port)
        self._loop.run_until_complete(asyncio.start_server(self._serve, GATEWAY, self.port, ssl=context))
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._behind)
        except OSError:
            writer.close()
            return
        await asyncio.gather(self._pass_on(reader, back), self._pass_on(there, writer))

    @staticmethod
    async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except (OSError, ssl.SSLError):
            pass
        finally:
            writer.close()

    def stop(self) -> None:
        """End it."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)


class Hosts:
    """The three hosts, built."""

    def __init__(self, place: Path) -> None:
        self.place = place
        (place / "lab.yml").write_text(yaml.safe_dump(INVENTORY))
        (place / "group_vars").symlink_to(ROOT / "molecule/lab/inventory/group_vars")
        self.lab = Lab(place / "lab.yml", place)
        done = self.lab.tool("up")
        assert done.returncode == 0, done.stdout + done.stderr

    def sh(self, host: str, script: str, given: str = "", *, check: bool = True) -> str:
        """Run a shell script as root on a host; return what it printed."""
        done = subprocess.run(["docker", "exec", "-i", "golive-%s-%s" % (LAB, host), "sh", "-c", script], input=given, text=True,
                              capture_output=True, check=False, timeout=60)
        assert done.returncode == 0 or not check, "%s: %s: %s%s" % (host, script[:80], done.stdout, done.stderr)
        return done.stdout

    def write(self, host: str, path: str, text: str) -> None:
        """Write a private file."""
        self.sh(host, "umask 077; mkdir -p $(dirname %s); cat > %s" % (path, path), text)

    def host_key(self, name: str) -> str:
        """Return a host's ssh key as known_hosts has it."""
        lines = (self.place / "known_hosts").read_text().splitlines()
        return next(line.split(" ", 1)[1] for line in lines if line.startswith(ADDRESSES[name] + " ssh-ed25519"))

    def build(self, url: str, key: str) -> list[Any]:
        """Run the role on all three; return what was changed."""
        key_file = self.place / "kill.key"
        key_file.write_text(key)
        key_file.chmod(0o600)
        given = {"golive_system": LAB, "exchange_venue": "kraken", "exchange_url": url, "exchange_ca_file": "/etc/golive/venue.crt",
                 "exchange_quote": "USDT", "trade_pairs_all": ["SHIB/USDT"], "kill_switch_policy": "hold",
                 "kill_switch_key_credential": "file:%s" % key_file, "kill_switch_settle_s": 0.5, "bot_live_starters": [UNIT],
                 "kill_switch_bot_address": ADDRESSES[BOT], "kill_switch_bot_host_key": self.host_key(BOT),
                 "kill_switch_authorized_keys": [self.host_key(KILLER), self.host_key(SECOND)]}
        unit = "[Service]\nExecStart=/usr/bin/python3 -c 'import time; time.sleep(1000000)'\n"
        bots = {"managed_files": {
            "directories": [{"path": "/usr/local/lib/%s" % name} for name in ("systemd", "systemd/system", "mischief", "golive")]
            + [{"path": "/etc/golive"}],
            "files": [{"path": "/usr/local/lib/systemd/system/" + UNIT, "content": unit},
                      {"path": "/usr/local/lib/mischief/switch.py", "source": str(FILE)},
                      {"path": "/usr/local/lib/mischief/mischief.py", "content": MISCHIEF},
                      {"path": "/usr/local/lib/golive/ticket.py", "source": str(FILE.parents[1] / "ticket.py")},
                      {"path": "/etc/golive/venue.crt", "source": str(self.place / "certificate.pem")}]}}
        machines = {"managed_files": {"directories": [{"path": "/etc/golive"}], "files": [
            {"path": "/etc/golive/venue.crt", "source": str(self.place / "certificate.pem")}]}}
        done = self.lab.run([
            {"hosts": BOT, "pre_tasks": [bots], "roles": ["kill_switch"], "vars": {**given, "kill_switch_side": "bot"}},
            {"hosts": "kill_machines", "pre_tasks": [machines], "roles": ["kill_switch"], "vars": given}])
        return done.must().objects

    def bot_runs(self, mischief: dict[str, Any] | None) -> None:
        """Unmask and start the live unit: the bot of a case, or one that only lives."""
        drop = "/run/systemd/system/%s.d" % UNIT
        self.sh(BOT, "systemctl unmask %s; systemctl stop %s; rm -rf %s; ip link set eth0 up" % (UNIT, UNIT, drop))
        if mischief is not None:
            self.write(BOT, CASE + "/bot.json", json.dumps(mischief))
            line = "ExecStart=/usr/bin/python3 -S /usr/local/lib/mischief/mischief.py"
            self.sh(BOT, "mkdir -p %s; printf '[Service]\\nExecStart=\\n%s\\n' > %s/case.conf" % (drop, line, drop))
        self.sh(BOT, "systemctl daemon-reload; systemctl reset-failed; systemctl start %s" % UNIT)

    def bot_stands(self) -> str:
        """Return what systemd says of the live unit."""
        return self.sh(BOT, "systemctl show -p ActiveState,UnitFileState --value %s" % UNIT).strip().replace("\n", " ")

    def sealed_ms(self) -> str:
        """Return what opening the sealed key costs on a kill machine, milliseconds, best of five."""
        act = "subprocess.run(['systemd-creds', 'decrypt', '--name=kill_key', '/etc/golive/kill_key.cred', '-'], stdout=-3, check=True)"
        script = ["import subprocess, time", "best = 9e9", "for _ in range(5):", "    began = time.perf_counter()", "    " + act,
                  "    best = min(best, time.perf_counter() - began)", "print(round(best * 1000))"]
        return self.sh(KILLER, "python3 -", "\n".join(script)).strip()

    def clear(self) -> None:
        """Take a case's traces from the kill machines."""
        for host in (KILLER, SECOND):
            self.sh(host, "for one in $(cat %s/pids 2>/dev/null); do kill -9 $one; done; umount /var/lib/golive 2>/dev/null; rm -rf %s"
                    % (CASE, CASE), check=False)


class OnHosts:
    """What a world does otherwise here."""

    def __init__(self, world: Any, hosts: Hosts, url: str) -> None:
        self.world, self.hosts, self.url = world, hosts, url
        self.mischief: dict[str, Any] | None = None
        self.second, self.first_dies = False, False
        self.installed = json.loads(hosts.sh(KILLER, "cat /etc/golive/kill_switch.json"))

    def command(self, host: str, **more: Any) -> list[str]:
        """Put settings and keys on a kill machine and return how its switch is pulled."""
        scene = self.world.scene
        given = {**scene.settings, **more, "url": self.url, "ca_file": "/etc/golive/venue.crt", "fence": self.installed["fence"],
                 "epoch_directory": self.installed["epoch_directory"], "record_directory": self.installed["record_directory"]}
        for name in ("credential", "trade_credential"):
            if name in given:
                path = "%s/%s.json" % (CASE, name)
                self.hosts.write(host, path, Path(given[name]).read_text())
                given[name] = path
        self.hosts.write(host, CASE + "/settings.json", json.dumps(given))
        pull = "echo $$ > %s/pid; echo $$ >> %s/pids; exec %s --settings %s/settings.json" % (CASE, CASE, PROGRAM, CASE)
        environment = [word for item in self.world.environment.items() for word in ("-e", "%s=%s" % item)]
        return ["docker", "exec", *environment, "golive-%s-%s" % (LAB, host), "sh", "-c", pull]

    def another_bot(self, pause: float) -> None:
        """Let the live unit on the bot's host be the bot that orders."""
        world, scene = self.world, self.world.scene
        if world.venue == "kraken":
            made = scene.sandbox.key(scene.account)
            key, secret = made.key, made.secret
            order = {"pair": "SHIBUSDT", "type": "buy", "ordertype": "limit", "price": scene.price(0.5), "volume": "600000"}
        else:
            key, secret = scene.mint()
            order = {"symbol": "SOLUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "1", "price": scene.price(0.8)}
        self.mischief = {"venue": world.venue, "url": self.url, "key": key, "secret": secret, "order": order, "pause": pause,
                         "prefix": PREFIX, "id_field": "cl_ord_id" if world.venue == "kraken" else "newClientOrderId"}


# -- faults that are other ones on hosts ----------------------------------------------------------------------------------------
def host_cut_off(here: OnHosts) -> None:
    def heal() -> None:
        time.sleep(GONE_AFTER_S)
        here.hosts.sh(BOT, "ip link set eth0 up")
    here.world.closing_first.append(lambda: here.hosts.sh(BOT, "ip link set eth0 down"))
    here.world.beside.append(heal)


def bot_floods(here: OnHosts) -> None:
    here.another_bot(0.0)


def bot_places_again(here: OnHosts) -> None:
    here.another_bot(0.2)


def audit_disk_full(here: OnHosts) -> None:
    here.world.closing_first.append(lambda: here.hosts.sh(
        KILLER, "mount -t tmpfs -o size=16k full /var/lib/golive; mkdir -p /var/lib/golive/epochs /var/lib/golive/kills; "
        "dd if=/dev/zero of=/var/lib/golive/filled bs=4k 2>/dev/null; true"))


def vault_sealed(here: OnHosts) -> None:
    door = socket.create_server((GATEWAY, 0))
    door.settimeout(0.0)
    here.world.environment.update(VAULT_ADDR="http://%s:%d" % (GATEWAY, door.getsockname()[1]), VAULT_TOKEN="sealed")

    def check() -> str:
        try:
            door.accept()[0].close()
            return "the kill asked the secret store"
        except OSError:
            return ""
    here.world.must_hold.append(check)
    here.world.closing.append(door.close)


def lock_held(here: OnHosts) -> None:
    files = "/etc/golive/kill_switch.json /var/lib/golive/kills %s/settings.json" % CASE
    held = "for one in %s; do flock $one sleep 120 & echo $! >> %s/pids; done" % (files, CASE)
    here.world.closing_first.append(lambda: here.hosts.sh(KILLER, "(%s) >/dev/null 2>&1 </dev/null" % held))


def second_kill(here: OnHosts) -> None:
    here.world.scene.settings["turn"] = {"slot_s": 5, "rank": 0, "of": 2}
    here.second = True


def kill_host_dies(here: OnHosts) -> None:
    here.world.dies = here.world.rng.randint(1, 9)
    here.world.scene.settings["turn"] = {"slot_s": 5, "rank": 0, "of": 2}
    here.first_dies = here.second = True


HERE: dict[str, Callable[[OnHosts], None]] = {one.__name__: one for one in (
    host_cut_off, bot_floods, bot_places_again, audit_disk_full, vault_sealed, lock_held, second_kill, kill_host_dies)}


def run(sandbox: Sandbox, hosts: Hosts, url: str, folder: Path, names: tuple[str, ...], venue: str, policy: str) -> dict[str, Any]:
    """Run one case; see pairs.run."""
    rng = random.Random("|".join((*names, venue, policy)))
    world: Any = (Kraken if venue == "kraken" else Futures)(sandbox, folder, policy, rng)
    world.closing_first = []
    here = OnHosts(world, hosts, url)
    try:
        ordered = sorted(names, key=list(FAULTS).index)
        for name in ordered:
            if name in BEFORE:
                FAULTS[name](world)
        world.build()
        for name in ordered:
            if name in HERE:
                HERE[name](here)
            elif name not in BEFORE:
                FAULTS[name](world)
        hosts.bot_runs(here.mischief)
        began = time.monotonic()
        records = pull(here)
        seconds = round(time.monotonic() - began, 1)
        sandbox.ask("DELETE", "cruelties")
        wrong = [] if records else ["no switch came to its end"]
        for one in records:
            wrong += pairs.judge(world, one)
        wrong += [text for text in (check() for check in world.must_hold) if text]
        stands = hosts.bot_stands()
        if not stands.startswith(("inactive", "failed")) or "masked" not in stands:
            wrong.append("the live unit is %s" % stands)
        return {"faults": list(names), "venue": venue, "policy": policy, "states": [one["state"] for one in records], "seconds": seconds,
                "first_cancel_s": [one["marks"].get("first_cancel_s") for one in records], "wrong": sorted(set(wrong))}
    finally:
        (folder / "fenced").touch()
        sandbox.ask("DELETE", "cruelties")
        for close in world.closing:
            close()
        hosts.clear()


def pull(here: OnHosts) -> list[dict[str, Any]]:
    """Pull the switch on the first machine, on the second where the case has one; return the records of those that came to their end."""
    world, hosts = here.world, here.hosts
    commands = [here.command(KILLER)]
    if here.second:
        commands.append(here.command(SECOND, turn={"slot_s": 5, "rank": 1, "of": 2}))
    for act in world.closing_first:
        act()
    threads = [threading.Thread(target=act, daemon=True) for act in world.beside]
    for thread in threads:
        thread.start()
    seen = len(pairs.requests(world, world.scene.account))
    processes = [subprocess.Popen(commands[0], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)]
    if here.first_dies:
        until = time.monotonic() + 10
        while processes[0].poll() is None and time.monotonic() < until:
            if len(pairs.requests(world, world.scene.account)) - seen >= world.dies:
                break
            time.sleep(0.01)
        hosts.sh(KILLER, "kill -9 $(cat %s/pid)" % CASE, check=False)
        processes[0].wait(30)
        processes = []
    processes += [subprocess.Popen(one, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for one in commands[1:]]
    records = []
    for process in processes:
        try:
            out, _ = process.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            out, _ = process.communicate()
        lines = [line for line in out.splitlines() if line.startswith("{")]
        if lines and process.returncode in (0, 3):
            records.append(json.loads(lines[-1]))
        else:
            print(out[-1500:], flush=True)
    for thread in threads:
        thread.join(10)
    return records


def campaign(chosen: list[tuple[tuple[str, ...], str, str]], keep: Callable[[dict[str, Any]], None] = lambda result: None,
             ) -> list[dict[str, Any]]:
    """Build the hosts, run the cases one after the other, take the hosts away; return the results."""
    results = []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as base:
        place = Path(base) / "lab"
        place.mkdir()
        sandbox = pairs.start_exchange(Path(base) / "exchange")
        hosts: Hosts | None = None
        gateway: Gateway | None = None
        try:
            hosts = Hosts(place)
            gateway = Gateway(place, sandbox.venue)
            hosts.build(gateway.url, json.dumps({"key": "SANDBOXnone", "secret": "bm8ga2V5IG9mIGFueWJvZHk="}))
            print("the sealed key opens in %s ms" % hosts.sealed_ms(), flush=True)
            for index, (names, venue, policy) in enumerate(chosen):
                try:
                    result = run(sandbox, hosts, gateway.url, Path(base) / ("case%d" % index), names, venue, policy)
                except Exception as exc:  # noqa: BLE001 (a case that could not be run is red, and the others go on)
                    result = {"faults": list(names), "venue": venue, "policy": policy, "states": [], "seconds": 0.0, "first_cancel_s": [],
                              "wrong": ["could not be run: %s: %s" % (type(exc).__name__, str(exc)[-300:])]}
                keep(result)
                results.append(result)
                print("%s %s %s %s: %s" % ("ok " if not result["wrong"] else "RED", venue, policy, "+".join(names),
                                           "; ".join(result["wrong"]) or "%s in %.1f s" % ("/".join(result["states"]), result["seconds"])),
                      flush=True)
        finally:
            if gateway is not None:
                gateway.stop()
            if hosts is not None:
                hosts.lab.tool("down")
            sandbox.stop(9)
    return results


def main() -> int:
    """Run what the record lacks and write it, case by case."""
    parser = argparse.ArgumentParser(description="Faults of a kill on lab hosts.")
    parser.add_argument("--only", default="", help="comma-separated faults: only cases of these, and no record")
    parser.add_argument("--seconds", type=float, default=500.0, help="begin no case after so long")
    chosen = parser.parse_args()
    only, began, bound = {name for name in chosen.only.split(",") if name}, time.monotonic(), digest()
    kept = {} if only else {pairs.case(one): one for one in recorded(bound) if not one["wrong"]}
    todo = [one for one in runs() if (not only or set(one[0]) <= only) and one not in kept]

    def keep(result: dict[str, Any]) -> None:
        kept[pairs.case(result)] = result
        if not only and bound == digest():
            write(bound, kept)
        if time.monotonic() - began > chosen.seconds:
            raise KeyboardInterrupt
    red = 0
    try:
        red = sum(1 for one in campaign(todo, keep) if one["wrong"])
    except KeyboardInterrupt:
        print("out of time; the record has what was run")
    print("%d of %d cases kept, %.0f s" % (len(kept), len(runs()), time.monotonic() - began))
    return 1 if red else 0


def recorded(bound: str) -> list[dict[str, Any]]:
    """Return the results that are recorded for this digest."""
    try:
        record = json.loads(RECORD.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return list(record["results"]) if record.get("digest") == bound else []


def write(bound: str, kept: dict[tuple[tuple[str, ...], str, str], dict[str, Any]]) -> None:
    """Write the record in one step."""
    results = [kept[one] for one in runs() if one in kept]
    fresh = RECORD.with_suffix(".new")
    fresh.write_text(json.dumps({"digest": bound, "cases": len(results), "wanted": len(runs()),
                                 "red": sum(1 for one in results if one["wrong"]), "results": results}, indent=1) + "\n", encoding="utf-8")
    fresh.replace(RECORD)


if __name__ == "__main__":
    sys.exit(main())
