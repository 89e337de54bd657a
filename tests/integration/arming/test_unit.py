"""On a real host: the live unit runs by a ticket that was valid here, exit-only by an expired one, never by a voided one."""
from __future__ import annotations

import json
from datetime import timedelta

import pytest
from golive import ticket

from .conftest import ARM, Armed

pytestmark = pytest.mark.lab
REASON = "journalctl -u bot-live.service -n 20 --no-pager -o cat"


def test_without_a_ticket_the_unit_is_skipped(armed: Armed) -> None:
    armed.remote.start()
    armed.remote.until(lambda: armed.remote.unit() == "inactive")
    assert "no ticket is installed on this host" in armed.remote.sh(REASON)


def test_with_a_ticket_the_unit_runs_with_the_key_and_again_after_a_restart(armed: Armed) -> None:
    assert armed.deliver(armed.text()).returncode == ticket.RUN
    for _ in range(2):
        armed.remote.start()
        armed.remote.until(lambda: armed.remote.unit() == "active")
    armed.remote.until(lambda: armed.remote.ssh("sudo test -s /run/bot/live/key_seen").returncode == 0)
    assert json.loads(armed.remote.sh("cat /run/bot/live/key_seen"))["key"] == "SANDBOXKEY"
    assert "SANDBOXKEY" not in armed.remote.sh(f"cat {ARM}/exchange_key.cred"), "the credential is encrypted to the host"


def test_a_second_delivery_is_refused_on_the_host(armed: Armed) -> None:
    data = armed.text()
    assert armed.deliver(data).returncode == ticket.RUN
    again = armed.deliver(data)
    assert (again.returncode, b"a ticket arms once" in again.stderr) == (ticket.REFUSED, True)
    armed.remote.start()
    armed.remote.until(lambda: armed.remote.unit() == "active")


def expired(armed: Armed) -> None:
    """Arm with a ticket that runs out at once; on a slow machine it needs a longer life to arrive alive."""
    lives = (3, 6, 12, 24, 48)
    assert any(armed.deliver(armed.text(lasts=timedelta(seconds=life), nonce=f"{life:032x}")).returncode == ticket.RUN for life in lives)
    armed.remote.until(lambda: armed.remote.show()["state"] == "expired")


def test_restart_with_an_expired_ticket_and_open_positions_comes_up_exit_only(armed: Armed) -> None:
    expired(armed)
    armed.positions('{"open": 1}')
    armed.remote.start()
    armed.remote.until(lambda: armed.remote.unit() == "active")
    assert json.loads(armed.remote.sh("cat /run/bot/live/exit_only"))["code"] == "expired"


def test_restart_with_an_expired_ticket_and_nothing_open_does_not_run(armed: Armed) -> None:
    expired(armed)
    armed.positions('{"open": 0}')
    armed.remote.start()
    armed.remote.until(lambda: armed.remote.unit() == "inactive")
    assert "no open position" in armed.remote.sh(REASON)


def test_while_the_venue_is_silent_systemd_asks_again_and_the_unit_comes_up_when_it_speaks(armed: Armed) -> None:
    expired(armed)
    armed.positions("")
    armed.remote.start()
    armed.remote.until(lambda: int(armed.remote.sh("systemctl show bot-live.service --property=NRestarts --value")) >= 2)
    assert armed.remote.unit() != "active"
    armed.positions('{"open": 2}')
    armed.remote.until(lambda: armed.remote.unit() == "active")
    assert armed.remote.show()["exit_only"] is True


def test_a_voided_ticket_never_runs_not_even_with_positions_open(armed: Armed) -> None:
    assert armed.deliver(armed.text()).returncode == ticket.RUN
    armed.positions('{"open": 3}')
    assert armed.remote.verifier("void", "--reason", "drill", "--epoch", "4").returncode == ticket.RUN
    armed.remote.start()
    armed.remote.until(lambda: armed.remote.unit() == "inactive")
    assert "voided" in armed.remote.sh(REASON)
    assert armed.remote.ssh(f"sudo test -e {ARM}/exchange_key.cred").returncode == 1
    assert armed.deliver(armed.text(nonce="1" * 32, epoch=4)).returncode == ticket.RUN, "a ticket of the new epoch is the way back"


@pytest.mark.parametrize(("code", "how"), [
    (b"too_few", {"by": ("anna",)}), (b"same_key", {"keys": {"bert": "anna"}}), (b"wrong_role", {"by": ("anna", "carl")}),
    (b"wrong_namespace", {"namespace": "golive-attest"}), (b"lab_signed", {"by": ("lab-anna", "lab-bert")}),
    (b"expired", {"lasts": timedelta(seconds=-1)}), (b"not_yet_valid", {"begins": timedelta(minutes=10)}),
    (b"wrong_system", {"system": "other"}), (b"rehearsal_fence", {"rehearsal": True}),
    (b"changed_subject", {"release": {"artifact": "sha256:" + "0" * 64, "tree": "sha256:" + "0" * 64, "config": "sha256:" + "0" * 64}}),
])
def test_bad_tickets_are_refused_by_the_host_itself(armed: Armed, code: bytes, how: dict[str, object]) -> None:
    delivery = {name: how[name] for name in ("by", "keys", "namespace") if name in how}
    fields = {name: value for name, value in how.items() if name not in delivery}
    data = armed.text(**fields) if "release" not in fields else ticket.encode({**json.loads(armed.text()), **fields})
    refused = armed.deliver(data, **delivery)  # type: ignore[arg-type]
    assert refused.returncode != ticket.RUN
    assert refused.stderr.startswith(b"ticket: " + code), refused.stderr


def test_signers_that_others_may_change_are_not_trusted_by_the_host(armed: Armed) -> None:
    armed.remote.sh(f"chmod 666 {ARM}/allowed_signers")
    assert b"may be changed by others" in armed.deliver(armed.text()).stderr
