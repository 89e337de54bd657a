"""What an agent's metrics say: Vault's has one for it, OpenBao's shows its failures while they last."""
from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from golive.store import agent_host

VAULT = "# TYPE vault_agent_authenticated gauge\nvault_agent_authenticated %d\n"
OPENBAO = "# HELP bao_agent_auth_success x\nbao_agent_auth_success 3\nbao_runtime_num_goroutines 40\n"


@contextmanager
def metrics(text: str) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(("text", "logged_in"), [
    (VAULT % 1, True), (VAULT % 0, False), ("", False), ("go_goroutines 3\n", False),
    (OPENBAO, True), (OPENBAO + "bao_agent_auth_failure 1\n", False),
    (OPENBAO.replace("bao_agent_auth_success 3\n", ""), True)])   # renewed long ago: the counter ends like every other
def test_logged_in_by_the_agents_own_metrics(text: str, logged_in: bool) -> None:
    with metrics(text) as port:
        assert agent_host.authenticated(port) is logged_in
