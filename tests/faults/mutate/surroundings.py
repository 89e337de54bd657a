"""Random changes around what golive wrote: kernel, network, trust, starters, store, venue, ledgers, tickets. Their form: `hosts.py`."""
from __future__ import annotations

import json
import random
import shlex
from typing import Any

from golive.session import reports_of

from ..harness import compiled, store_breaks
from ..harness.lab import Lab
from ..harness.ledger_breaks import _line
from ..harness.venue_breaks import deliver, mint, release, restore
from . import hosts
from .hosts import KEPT, Ground, Mutation

BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
TAKEN_OUT = """import sys
own, whole = (open(one).read() for one in sys.argv[1:])
assert own in whole
open(sys.argv[2], "w").write(whole.replace(own, ""))
"""


def _edited(number: int, path: str, script: str) -> tuple[str, str]:
    """Change a file that must keep its inode (a container mounts it)."""
    kept, quoted = f"{KEPT}/{number}", shlex.quote(path)
    return (f"mkdir -p {KEPT}; P={quoted}; test -e $P; cp -a $P {kept}; {script}",
            f"if test -f {kept}; then cat {kept} > {quoted}; rm -f {kept}; fi")


def _any_host(rng: random.Random, ground: Ground) -> str:
    return rng.choice(sorted(one for one in ground.objects if one != "controller"))


def firewall_rules(number: int, rng: random.Random, ground: Ground) -> Mutation:
    """Change the rules in the kernel, past their file."""
    what, script = rng.choice((
        ("a port let in", f"nft insert rule inet golive input tcp dport {rng.randrange(2000, 60000)} accept"),
        ("an address let out", f"nft insert rule inet golive output ip daddr 198.51.100.{rng.randrange(1, 250)} accept"),
        ("output accepts by default", "nft chain inet golive output '{ policy accept; }'"),
        ("input accepts by default", "nft chain inet golive input '{ policy accept; }'"),
        ("the first rule of output gone", "nft delete rule inet golive output handle $(nft -a list chain inet golive output | "
                                          "sed -n 's/.*oifname \"lo\".*handle //p' | head -1)"),
        ("the table gone", "nft delete table inet golive"),
    ))
    return Mutation(number, "bot", "nftables", what, script, "nft -f /etc/golive/firewall.nft", (),
                    ("firewall.default_drop_persistent",), ("nft",), by_plan=True)


def route(number: int, rng: random.Random, ground: Ground) -> Mutation:
    """Let packets to the venue go another way."""
    what, do, undo = rng.choice((
        ("to the venue: nowhere", f"ip route add blackhole {ground.venue}/32", f"ip route del blackhole {ground.venue}/32 || true"),
        ("to the venue: this host itself", f"ip route add local {ground.venue}/32 dev lo", f"ip route del local {ground.venue}/32 || true"),
    ))

    def back(world: Lab) -> None:
        world.on("bot", undo)
        release(world, *ground.instances)

    # Healing asks the bots how they are: one that was stopped by a signal at the same time would never answer. It lets them trade again
    # by a line in their ledgers, which a bot refuses to write behind one that is not whole.
    asked = tuple(f"{kind}:{one}" for kind in ("process", "ledger") for one in ground.instances)
    return Mutation(number, "bot", "route", what, do, back, (), ("network.egress_allowlist", "exchange.endpoint_genuine"),
                    ("net", *asked), by_plan=True)


def name_service(number: int, rng: random.Random, ground: Ground) -> Mutation:
    """Let names lead elsewhere: hosts file or resolver."""
    name = rng.choice((ground.venue, "api.kraken.com"))
    what, path, script = rng.choice((
        (f"a hosts entry for {name}", "/etc/hosts", f"echo '127.0.0.1 {name}' >> $P"),
        ("another resolver", "/etc/resolv.conf", f"echo 'nameserver 198.51.100.{rng.randrange(1, 250)}' > $P"),
    ))
    do, undo = _edited(number, path, script)
    return Mutation(number, "bot", "DNS", what, do, undo, (), ("network.name_service",), (path,), by_plan=True)


def trust_store(number: int, rng: random.Random, ground: Ground) -> Mutation:
    """Take golive's authority out of the trust store, or put another one in its place."""
    host, path = rng.choice(ground.of("trust"))
    kept, quoted = f"{KEPT}/{number}", shlex.quote(path)
    what, script = rng.choice((("taken away", f"rm {quoted}"),
                               ("another authority", "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3 "
                                                     f"-subj /CN=other -keyout /dev/null -out {quoted} 2>/dev/null"),
                               ("out of the bundle", f"python3 - {quoted} {BUNDLE} <<'X'\n{TAKEN_OUT}X")))
    do = f"mkdir -p {KEPT}; cp -a {quoted} {kept}; cp -a {BUNDLE} {kept}.bundle; {script}"
    undo = (f"if test -f {kept}; then cp -a {kept} {quoted}; cp -a {kept}.bundle {BUNDLE}; "
            f"rm -f {kept} {kept}.bundle; fi")
    return Mutation(number, host, "trust store", f"{path}: {what}", do, undo, ((f"trust:{path}", ()),), (), ("trust", path))


def starter(number: int, rng: random.Random, ground: Ground) -> Mutation:
    """Leave something that would start a second bot."""
    name = f"mutation{number}"
    line = "/usr/bin/systemctl start bot-live.service"
    what, path, text, more = rng.choice((
        ("cron", f"/etc/cron.d/{name}", f"* * * * * root {line}", ":"),
        ("a unit", f"/etc/systemd/system/{name}.service",
         f"[Service]\\nExecStart={line}\\n[Install]\\nWantedBy=multi-user.target", "systemctl daemon-reload"),
        ("a unit for this boot", f"/run/systemd/system/{name}.service", f"[Service]\\nExecStart={line}", "systemctl daemon-reload"),
    ))
    return Mutation(number, "bot", "cron and starters", what, f"mkdir -p {path.rsplit('/', 1)[0]}; printf '{text}\\n' > {path}; {more}",
                    f"rm -f {path}; {more}", (), ("exchange.single_writer",), (path, "starters"), by_plan=True)


def privilege(number: int, rng: random.Random, ground: Ground) -> Mutation:
    """Give somebody root: a sudo rule, a second user 0."""
    host, name = _any_host(rng, ground), f"mutation{number}"
    what, do, undo = rng.choice((
        ("a sudo rule", f"printf 'games ALL=(ALL) NOPASSWD: ALL\\n' > /etc/sudoers.d/{name}; chmod 0440 /etc/sudoers.d/{name}",
         f"rm -f /etc/sudoers.d/{name}"),
        ("a second user 0", f"mkdir -p {KEPT}; cp -a /etc/passwd {KEPT}/{number}; echo '{name}:x:0:0::/root:/bin/sh' >> /etc/passwd",
         f"if test -f {KEPT}/{number}; then cp -a {KEPT}/{number} /etc/passwd; rm {KEPT}/{number}; fi"),
    ))
    return Mutation(number, host, "sudoers and root", what, do, undo, (), ("host.root_access",),
                    (hosts.EVERYTHING,) if "user 0" in what else ("accounts",), by_plan=True)


def listener(number: int, rng: random.Random, ground: Ground) -> Mutation:
    """Listen where nobody should."""
    port = rng.choice((8003, 9999, 31337))
    do = f"systemd-run -q --unit mutation{number} -p Type=exec /usr/bin/python3 -m http.server {port}"
    return Mutation(number, "bot", "port", f"a listener on 0.0.0.0:{port}", do, f"systemctl stop mutation{number} || true", (),
                    ("network.listeners",), ("listener",), by_plan=True)


#: instance -> controls that ask it, or its own ledger: each other bot goes on
STANDS_STILL = {"wire": ("config.loaded_matches_rendered", "dashboard.serves_live_data"), "shadow": ("process.decides",),
                "live": ("dashboard.serves_live_data@live",)}


def second_process(number: int, rng: random.Random, ground: Ground) -> Mutation:
    """Stop a bot that should run, or let a second process hold the live key. One that holds no key moves nothing, whatever its name."""
    instance = rng.choice(ground.instances)
    # A bot that does not run has number 0: that would stop the shell itself, which never answers then.
    signal = f"P=$(systemctl show -p MainPID --value bot-{instance}); test \"$P\" -gt 0; kill"
    kinds = [(f"{instance} stopped by a signal", f"{signal} -STOP $P", f"{signal} -CONT $P", STANDS_STILL[instance])]
    if "live" in ground.instances:
        # Type=exec: a program that cannot be started is a mutation that was not made, not one that nobody saw.
        do = (f"systemd-run -q --unit mutation{number} -p Type=exec -p User=bot "
              f"-p LoadCredentialEncrypted=exchange_key:{hosts.STORED_KEY} /bin/sleep 3600")
        kinds.append(("a second process with the live key", do, f"systemctl stop mutation{number} || true", ("exchange.single_writer",)))
    what, one, other, controls = rng.choice(kinds)
    return Mutation(number, "bot", "process", what, one, other, (), controls, (f"process:{instance}",), by_plan=True,
                    told_after="bot_decision_max_age_s" if controls == STANDS_STILL["shadow"] else "")


def store_policy(number: int, rng: random.Random, ground: Ground) -> Mutation:
    """Change what the secret store lets people do, or whether it writes it down.

    A policy more is given to a role: one that nobody carries lets nobody do anything, and golive leaves it alone.
    """
    kind = rng.choice(("policy wider", "policy more", "role longer", "audit off"))

    def change(world: Lab, back: bool) -> None:
        client = store_breaks.root(world)
        name, system = f"mutation{number}", next(one.split(":", 1)[1] for one in ground.objects["vault"] if one.startswith("vault_policy:"))
        try:
            if kind == "policy wider":
                key = f"policy {number}"
                if not back:
                    world.kept[key] = client.sys.read_policy(system)["data"]["rules"]
                rules = world.kept[key]
                client.sys.create_or_update_policy(system, rules if back else rules + '\npath "kv/*" { capabilities = ["read"] }\n')
            elif kind == "policy more":
                path, key = f"auth/approle/role/{system}", f"carried {number}"
                if back:
                    client.write_data(path, data={"token_policies": world.kept[key]})
                    client.sys.delete_policy(name)
                else:
                    client.sys.create_or_update_policy(name, 'path "kv/*" { capabilities = ["read"] }')
                    world.kept[key] = client.read(path)["data"]["token_policies"]
                    client.write_data(path, data={"token_policies": [*world.kept[key], name]})
            elif kind == "role longer":
                path, key = f"auth/approle/role/{system}", f"role {number}"
                if not back:
                    world.kept[key] = client.read(path)["data"]["token_ttl"]
                client.write_data(path, data={"token_ttl": world.kept[key] if back else 86400})
            else:
                key = f"audit {number}"
                if not back:
                    devices = client.sys.list_enabled_audit_devices()["data"]
                    path = sorted(devices)[-1]
                    world.kept[key] = (path, devices[path])
                    client.sys.disable_audit_device(path.rstrip("/"))
                else:
                    path, one = world.kept[key]
                    client.sys.enable_audit_device(one["type"], description=one.get("description"), options=one.get("options"),
                                                   path=path.rstrip("/"))
        finally:
            client.auth.token.revoke_self()

    names = {"policy wider": "vault_policy:*", "policy more": "vault_role:*", "role longer": "vault_role:*",
             "audit off": "vault_audit:*"}
    return Mutation(number, "vault", "store policy", kind, lambda world: change(world, False), lambda world: change(world, True),
                    ((names[kind], ()),), (), (f"store:{names[kind]}",))


#: each holds a kill key of its own, kept in the store under the machine's name
KILL_MACHINES = ("guard", "outside")
KILL_RIGHTS = ("query-funds", "query-open-trades", "query-closed-trades", "close-trades")
OTHER_RIGHTS = ("modify-trades", "withdraw-funds", "export-data", "create-ws-token", "query-ledger", "add-funds")


def key_right(number: int, rng: random.Random, ground: Ground) -> Mutation:
    """Let the kill machines' key have another right. The changed key is minted anew and carried by golive's own plan (`by_plan`)."""
    host, rights = rng.choice(KILL_MACHINES), [*KILL_RIGHTS, *rng.sample(OTHER_RIGHTS, rng.randrange(1, 3))]
    name = f"kill_{host}"
    return Mutation(number, host, "key rights", f"the kill key may {', '.join(rights[len(KILL_RIGHTS):])}",
                    lambda world: deliver(world, name, mint(world, "live", rights)), lambda world: restore(world, name), (),
                    ("kill_switch.key_can_only_cancel",), (f"key:{name}",), by_plan=True)


def ledger_line(number: int, rng: random.Random, ground: Ground) -> Mutation:
    """Change a record of a ledger; the bot's own writing goes on beneath a mount."""
    instance = rng.choice(ground.instances)
    path, copy = f"/var/lib/bot/{instance}/ledger.jsonl", f"/run/golive-mutated-{instance}"
    what, at, drawn = rng.choice(("deleted", "twice", "exchanged", "a field edited", "the last ones cut")), rng.random(), rng.random()

    def change(world: Lab) -> None:
        lines = [json.loads(one) for one in world.read("bot", path).split(b"\n")[:-1] if one]
        world.on("bot", f"cat > {copy}; chown --reference={path} {copy}; chmod --reference={path} {copy}; mount --bind {copy} {path}",
                 data=b"".join(_line(one) for one in _spoilt(lines, what, int(at * (len(lines) - 2)), drawn)))

    # Lines cut from the end leave a whole chain: what the exchange knows and the ledger does not, names them.
    controls = {"wire": ("ledger.reconciles_with_exchange", "ledger.order_audit_trail", "ledger.daily_loss_within_limit"),
                "live": ("ledger.order_audit_trail@live", "ledger.daily_loss_within_limit@live"),
                "shadow": ("process.decides", "ledger.performance_vs_paper")}[instance]
    return Mutation(number, "bot", "ledger line", f"{instance}: {what}", change, f"umount -l {path} || true; rm -f {copy}", (), controls,
                    (f"ledger:{instance}",), by_plan=True)


def _spoilt(lines: list[dict[str, Any]], what: str, at: int, drawn: float) -> list[dict[str, Any]]:
    if what == "deleted":
        return lines[:at] + lines[at + 1:]
    if what == "twice":
        return lines[:at + 1] + lines[at:]
    if what == "exchanged":
        return [*lines[:at], lines[at + 1], lines[at], *lines[at + 2:]]
    if what == "the last ones cut":
        return lines[:max(1, int(len(lines) * 0.7))]
    names = sorted(name for name in lines[at] if name not in ("hash", "prev"))
    return [*lines[:at], {**lines[at], names[int(drawn * len(names))]: "changed"}, *lines[at + 1:]]


def ticket(number: int, rng: random.Random, ground: Ground) -> Mutation:
    """Spoil the installed ticket, its signature or the policy by which it is judged."""
    what, path, script = rng.choice((
        ("a byte of the ticket", "/etc/golive/arm/installed/ticket.json", "sed -i 's/\"stage\":\"[a-z0-9]*\"/\"stage\":\"full\"/' \"$P\""),
        ("a signature taken away", "/etc/golive/arm/installed", "rm \"$P\"/$(ls \"$P\" | grep -m1 sig)"),
        ("who may sign", "/etc/golive/arm/allowed_signers", "sed -i '1d' \"$P\""),
        ("the policy", "/etc/golive/arm/policy.json", "sed -i 's/\"rehearsal\": *true/\"rehearsal\": false/' \"$P\""),
        ("the verifier", "/usr/local/lib/golive/ticket.py", "sed -i '1a import sys' \"$P\""),
    ))
    kept = f"{KEPT}/{number}"
    do = f"mkdir -p {KEPT}; P=$(readlink -f {path}); test -e \"$P\"; cp -a \"$P\" {kept}; {script}; ! diff -rq \"$P\" {kept} >/dev/null"
    undo = f"if test -e {kept}; then P=$(readlink -f {path}); rm -rf \"$P\"; cp -a {kept} \"$P\"; rm -rf {kept}; fi"
    if path.startswith("/etc/golive/arm/installed"):     # written by the act that arms, no role: looked at by the controls of phase live
        controls = ("arming.ticket_valid", "mode.switch_to_live")
        return Mutation(number, "bot", "ticket", what, do, undo, (), controls, ("ticket",), by_plan=True)
    return Mutation(number, "bot", "ticket", what, do, undo, ((f"file:{path}", ()),), (), (path,))


def audit_line(number: int, rng: random.Random, ground: Ground) -> Mutation:
    """Change a line of the system's audit chain on the controller. Judged by golive's own plan: a run would refuse to write behind it."""
    what, at = rng.choice(("deleted", "exchanged", "a word edited", "twice")), rng.random()

    def change(world: Lab) -> None:
        path = reports_of(compiled.SYSTEM) / "audit.jsonl"
        world.kept[f"audit {number}"] = path.read_bytes()
        lines = world.kept[f"audit {number}"].splitlines(keepends=True)
        here = int(at * (len(lines) - 2))
        path.write_bytes(b"".join({
            "deleted": [*lines[:here], *lines[here + 1:]], "twice": [*lines[:here + 1], *lines[here:]],
            "exchanged": [*lines[:here], lines[here + 1], lines[here], *lines[here + 2:]],
            "a word edited": [*lines[:here], lines[here].replace(b'"actor":"', b'"actor":"x', 1), *lines[here + 1:]]}[what]))
        if path.read_bytes() == world.kept[f"audit {number}"]:
            raise RuntimeError("the line is as it was")

    def back(world: Lab) -> None:
        (reports_of(compiled.SYSTEM) / "audit.jsonl").write_bytes(world.kept.pop(f"audit {number}"))

    return Mutation(number, "controller", "audit line", what, change, back, (), ("audit.change_log_tamper_evident",), ("audit",),
                    by_plan=True)


#: Not among them: settings of the kernel. Containers share the kernel of their machine, so golive sets none there (base_kernel_control);
#: what lies in /etc/sysctl.d is a managed file like others.
#: maker -> how often it is drawn, out of the sum
MAKERS = ((hosts.managed_file, 44), (hosts.managed_directory, 14), (hosts.managed_link, 3), (hosts.release_file, 6),
          (hosts.unit_state, 14), (hosts.account, 6), (hosts.login_key, 3), (hosts.package, 9), (firewall_rules, 5), (route, 3),
          (name_service, 4), (trust_store, 5), (starter, 3), (privilege, 3), (listener, 3),
          (second_process, 3), (store_policy, 5), (key_right, 3),
          (ledger_line, 9), (ticket, 4), (audit_line, 4))


def mutation(seed: str, number: int, ground: Ground) -> Mutation:
    """Return the mutation of this number: the same for the same seed, number and ground."""
    rng = random.Random(f"{seed}:{number}")
    maker = rng.choices([one for one, _ in MAKERS], [weight for _, weight in MAKERS])[0]
    return maker(number, rng, ground)
