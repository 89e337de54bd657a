"""The texts that the roles write, rendered as Ansible renders them, from the role's own defaults and from others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from golive.exchange.command import parser

ROLES = Path(__file__).parents[3] / "roles"


def render(role: str, template: str, **given: Any) -> str:
    """Render a template of a role with its defaults, overridden by what is given."""
    variables = {**(yaml.safe_load((ROLES / role / "defaults/main.yml").read_text()) or {}), **given}
    text = trust_as_template((ROLES / role / "templates" / template).read_text())
    return str(Templar(DataLoader(), variables).template(text, escape_backslashes=False, overrides={"trim_blocks": True}))


def rules(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines()]


def test_each_address_family_gets_its_own_rule() -> None:
    inbound = [{"name": "ssh", "protocol": "tcp", "ports": [22, 443], "sources": ["203.0.113.7", "2001:db8::/32"]}]
    text = rules(render("firewall", "firewall.nft.j2", firewall_inbound=inbound))
    assert 'ip saddr { 203.0.113.7 } tcp dport { 22, 443 } counter accept comment "ssh"' in text
    assert 'ip6 saddr { 2001:db8::/32 } tcp dport { 22, 443 } counter accept comment "ssh"' in text


def test_any_is_one_rule_for_both_families() -> None:
    assert 'tcp dport { 22 } counter accept comment "ssh"' in rules(render("firewall", "firewall.nft.j2"))


@pytest.mark.parametrize(("mode", "policy"), [("learn", "accept"), ("enforce", "drop")])
def test_only_enforcing_drops_what_goes_out(mode: str, policy: str) -> None:
    text = rules(render("firewall", "firewall.nft.j2", firewall_mode=mode))
    assert f"type filter hook output priority filter; policy {policy};" in text
    assert ("update @learned4" in " ".join(text)) == (mode == "learn")


def test_coming_in_is_dropped_by_default_in_both_modes() -> None:
    for mode in ("learn", "enforce"):
        assert "type filter hook input priority filter; policy drop;" in rules(render("firewall", "firewall.nft.j2", firewall_mode=mode))


def test_only_golives_own_table_is_named() -> None:
    text = render("firewall", "firewall.nft.j2")
    assert "flush ruleset" not in text
    assert {line for line in text.splitlines() if "table" in line and not line.startswith("#")} == {
        "table inet golive",
        "delete table inet golive",
        "table inet golive {",
    }


def test_resolvers_and_time_servers_are_let_out() -> None:
    text = rules(render("firewall", "firewall.nft.j2", firewall_resolvers=["203.0.113.53"], firewall_time_servers=["any"]))
    assert 'ip daddr { 203.0.113.53 } udp dport { 53 } counter accept comment "DNS"' in text
    assert 'ip daddr { 203.0.113.53 } tcp dport { 53 } counter accept comment "DNS"' in text
    assert 'udp dport { 123 } counter accept comment "NTP"' in text


def test_a_container_watches_the_clock_and_a_host_sets_it() -> None:
    container = render("base", "chrony.service.conf.j2", base_clock_control=False)
    host = render("base", "chrony.service.conf.j2", base_clock_control=True)
    assert (" -x " in container, "ConditionCapability=" in container) == (True, True)
    assert (" -x " in host, "ConditionCapability=" in host) == (False, False)
    assert "makestep" not in render("base", "chrony.conf.j2", base_clock_control=False)


def test_servers_pools_and_own_stratum_of_the_clock() -> None:
    servers = [{"address": "a", "pool": True}, {"address": "b", "options": "iburst nts"}]
    text = rules(
        render("base", "chrony.conf.j2", base_time_servers=servers, base_time_local_stratum=8, base_time_serve_to=["192.0.2.0/24"])
    )
    assert {"pool a iburst", "server b iburst nts", "local stratum 8", "allow 192.0.2.0/24"} <= set(text)


def test_what_trades_is_never_restarted_by_an_update() -> None:
    assert "$nrconf{override_rc}->{qr(^bot-)} = 0;" in render("base", "needrestart.conf.j2")


def test_forwarding_is_off_but_for_the_named_users() -> None:
    assert "Match" not in render("ssh", "sshd.conf.j2")
    text = render("ssh", "sshd.conf.j2", ssh_tcp_forwarding_users=["ops"], ssh_allow_users=["golive", "ops"])
    assert "AllowUsers golive ops" in text
    assert text.index("AllowTcpForwarding no") < text.index("Match User ops")


def test_a_writer_that_does_not_reopen_is_copied_instead() -> None:
    assert "copytruncate" not in render("logging", "logrotate.conf.j2")
    text = render("logging", "logrotate.conf.j2", logging_method="copytruncate")
    assert "copytruncate" in text
    assert "create 0640" not in text


UNIT = {
    "bot_key_check": ["wire", "live"], "bot_key_check_venue": "kraken", "bot_key_check_addresses": ["192.0.2.10", "2001:db8::10"],
    "bot_venue_url": "https://venue.test", "bot_venue_ca_file": "/etc/ca.pem", "bot_wire_key": "vault:kv/x#key", "bot_rehearsal": False,
}  # fmt: skip


def question(instance: str, **given: Any) -> list[str]:
    """Return the command line of the question about the key, none if the unit does not ask."""
    text = render("bot", "bot.service.j2", **{**UNIT, "__bot_instance": instance, **given}).replace("\\\n", " ")
    return [line.split("=", 1)[1] for line in text.splitlines() if line.startswith("ExecStartPre=")]


def asked_with(instance: str, **given: Any) -> dict[str, Any]:
    """Return the command's options as its own parser reads them: a name that it does not know is an error here."""
    (line,) = question(instance, **given)
    return vars(parser().parse_args(line.split()[3:]))


def test_the_units_question_is_one_that_the_command_understands() -> None:
    found = asked_with("live")
    assert (found["venue"], found["base_url"], found["ca_file"]) == ("kraken", "https://venue.test", "/etc/ca.pem")
    assert found["rehearsal"] is False
    assert (found["ip_allowlist"], found["ip"], found["allow"]) == ("exact", ["192.0.2.10", "2001:db8::10"], ["read", "trade"])
    assert (found["nonce_source"], found["nonce_unit"], found["nonce_file"]) == ("file", "us", "/var/lib/bot/live/nonce")
    assert (found["credential"], found["one_line"], found["pause"]) == ("credential:exchange_key", True, 45.0)


def test_the_key_of_the_wire_half_is_always_one_of_a_rehearsal_exchange_and_may_have_its_own_address() -> None:
    settings = {"wire": {"venue": {"rest_url": "https://sandbox.test"}}}
    assert (asked_with("wire", bot_instance_settings=settings)["rehearsal"], asked_with("wire")["base_url"]) == (True, "https://venue.test")
    assert asked_with("wire", bot_instance_settings=settings)["base_url"] == "https://sandbox.test"


@pytest.mark.parametrize(
    ("instance", "given"),
    [("shadow", {}), ("wire", {"bot_wire_key": ""}), ("live", {"bot_key_check": ["wire"]}), ("live", {"bot_key_check": []}),
     ("live", {"bot_key_check_nonce_source": "none"})],
)  # fmt: skip
def test_an_instance_without_a_key_or_without_a_word_about_nonces_does_not_ask(instance: str, given: dict[str, Any]) -> None:
    assert question(instance, **given) == []


def test_a_venue_without_nonces_is_asked_without_a_word_about_them() -> None:
    found = asked_with("live", bot_key_check_venue="binance", bot_key_check_nonce_source="none", bot_key_check_addresses=[])
    assert (found["nonce_source"], found["ip_allowlist"], found["ip"]) == (None, "restricted", [])


def test_the_clock_gives_the_nonce_while_the_unit_itself_is_seen_not_to_run() -> None:
    found = asked_with("live", bot_key_check_nonce_source="bot_stopped")
    assert (found["nonce_source"], found["bot_units"]) == ("bot_stopped", ["%n"])
