"""The page, `/health` and `/metrics`, on loopback only. Whoever is on the host may look; the emergency button asks who comes."""

from __future__ import annotations

import base64
import hashlib
import hmac
import html
import secrets
from collections.abc import Callable
from typing import Any

from aiohttp import web

from .health import Health
from .metrics import Metrics

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="5"><title>{instance}: {mode}</title>
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}}
table{{border-collapse:collapse;width:100%}}td,th{{text-align:left;border-bottom:1px solid #ccc;padding:.3rem}}
button{{background:#b00020;color:#fff;font-size:1.2rem;padding:.7rem 1.5rem;border:0;border-radius:.3rem}}</style></head>
<body><main data-as-of="{now}" data-last-decision="{decided}" data-last-fill-seq="{fill_seq}" data-ledger-seq="{seq}">
<h1>{instance}: {mode}{rehearsal}</h1>
<p>Last decision {decided}, profit and loss {profit}, today {day_profit} (quote currency).
Entries halted by: {halts}.</p>
<h2>Positions</h2>{positions}<h2>Open orders</h2>{orders}<h2>Last fill</h2><p>{fill}</p>
<h2>Emergency</h2>{emergency}
</main></body></html>"""

_BUTTON = """<form method="post" action="/emergency-stop"><input type="hidden" name="csrf" value="{csrf}">
<button type="submit">Stop trading</button> Cancels entries, keeps stops, stays off until released. Asks for the password.</form>"""
_NO_BUTTON = "<p>No dashboard password is installed on this host. Stop the bot by its kill file or the kill switch.</p>"
_LOCAL = ("127.0.0.1", "localhost", "[::1]")


class Dashboard:
    """Serves the page. Without a password on the host there is no button."""

    def __init__(self, health: Health, metrics: Metrics, password: str | None, stop: Callable[[str], None], open_to_all: bool = False):
        self._health, self._metrics, self._password, self._stop = health, metrics, password, stop
        self._open = open_to_all
        self._csrf_key = secrets.token_bytes(32)

    def app(self) -> web.Application:
        """Return the web application."""
        app = web.Application(middlewares=[_headers])
        app.add_routes(
            [
                web.get("/", self._page),
                web.get("/health", self._health_document),
                web.get("/metrics", self._metrics_text),
                web.post("/emergency-stop", self._emergency),
            ]
        )
        return app

    async def _health_document(self, _request: web.Request) -> web.Response:
        return web.json_response(self._health.document())

    async def _metrics_text(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._metrics.text(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})

    async def _page(self, request: web.Request) -> web.Response:
        self._require_local_name(request)
        document = self._health.document()
        return web.Response(text=self._render(document), content_type="text/html", headers={"Cache-Control": "no-store"})

    async def _emergency(self, request: web.Request) -> web.Response:
        self._require_local_name(request)
        self._require_login(request)
        form = await request.post()
        origin = request.headers.get("Origin")
        if not hmac.compare_digest(str(form.get("csrf", "")), self._csrf()) or (origin and origin != f"http://{request.host}"):
            raise web.HTTPForbidden(text="The form is not from this page; load it again.\n")
        self._stop("emergency button of the dashboard")
        raise web.HTTPSeeOther("/")

    def _require_local_name(self, request: web.Request) -> None:
        """Refuse a page of another site that had its name point here (DNS rebinding)."""
        if not self._open and request.host.rpartition(":")[0] not in _LOCAL:
            raise web.HTTPForbidden(text="This page is served under the name 127.0.0.1 only.\n")

    def _require_login(self, request: web.Request) -> None:
        if self._open:
            return
        if self._password is None:
            raise web.HTTPForbidden(text="No dashboard password is installed on this host.\n")
        scheme, _, value = request.headers.get("Authorization", "").partition(" ")
        try:
            given = base64.b64decode(value, validate=True).decode().partition(":")[2] if scheme == "Basic" else ""
        except ValueError:
            given = ""
        if not hmac.compare_digest(given.encode(), self._password.encode()):
            raise web.HTTPUnauthorized(headers={"WWW-Authenticate": 'Basic realm="bot", charset="UTF-8"'}, text="Log in.\n")

    def _csrf(self) -> str:
        return hmac.new(self._csrf_key, b"emergency-stop", hashlib.sha256).hexdigest()

    def _render(self, document: dict[str, Any]) -> str:
        fill = document["last_fill"]
        values = {
            "instance": document["instance"],
            "mode": document["effective_mode"],
            "rehearsal": " (REHEARSAL)" if document["rehearsal"] else "",
            "now": document["now"],
            "decided": document["last_decision_at"] or "never",
            "fill_seq": fill["seq"] if fill else 0,
            "seq": document["ledger"]["seq"],
            "profit": document["profit"],
            "day_profit": document["day_profit"],
            "halts": ", ".join(document["entries_halted_by"]) or "nothing",
            "fill": " ".join(f"{name} {value}" for name, value in fill.items()) if fill else "none yet",
        }
        emergency = _BUTTON.format(csrf=self._csrf()) if self._password or self._open else _NO_BUTTON
        safe = {name: html.escape(str(value)) for name, value in values.items()}
        return _PAGE.format(**safe, emergency=emergency, positions=_table(document["positions"]), orders=_table(document["orders"]))


@web.middleware
async def _headers(request: web.Request, handler: Callable[[web.Request], Any]) -> web.StreamResponse:
    """Add what a browser needs to be careful with this page, also to refusals."""
    try:
        response: web.StreamResponse = await handler(request)
    except web.HTTPException as exc:
        exc.headers.update(_CAREFUL)
        raise
    response.headers.update(_CAREFUL)
    return response


_CAREFUL = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def _table(rows: list[dict[str, Any]]) -> str:
    if not rows:
        return "<p>none</p>"
    head = "".join(f"<th scope='col'>{html.escape(name)}</th>" for name in rows[0])
    body = "".join("<tr>" + "".join(f"<td>{html.escape(str(value))}</td>" for value in row.values()) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
