"""The administration interface: accounts, keys, markets, clock, cruelties, and what the judge saw. Bearer token on every call."""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp import web
from prometheus_client import generate_latest

from . import MARKER_HEADER, MARKER_VALUE, profile
from .cruelties import CATALOGUE
from .errors import BadRequest, NotFound, SandboxError
from .generator import PATTERNS
from .judge import RULES
from .money import parse, plain
from .positions import WALLET
from .rates import KRAKEN_TIERS
from .recorder import EVER
from .scenario import check as check_steps
from .view import account_view

if TYPE_CHECKING:
    from .core import Exchange

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
LONGEST = 1_000_000
MOST_RECORDS = 10_000
PAGE = {"/": ("index.html", "text/html"), "/page.css": ("page.css", "text/css"), "/page.js": ("page.js", "text/javascript")}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


def middleware(token: bytes) -> Any:
    """Let in who knows the token; turn our errors into answers of one sentence."""

    @web.middleware
    async def handle(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path in PAGE:
            return await handler(request)
        given = request.headers.get("Authorization", "").removeprefix("Bearer ").strip().encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(given, token):
            return _answer({"error": "give the administration token as Authorization: Bearer ..."}, 401)
        try:
            return await handler(request)
        except BadRequest as exc:
            return _answer({"error": str(exc)}, 400)
        except NotFound as exc:
            return _answer({"error": str(exc)}, 404)
        except SandboxError as exc:
            return _answer({"error": str(exc)}, 503)

    return handle


def _answer(data: Any, status: int = 200) -> web.Response:
    return web.json_response(data, status=status, headers={MARKER_HEADER: MARKER_VALUE})


async def _body(request: web.Request, known: tuple[str, ...]) -> dict[str, Any]:
    raw = await request.content.read(LONGEST)
    try:
        data = json.loads(raw or b"{}")
    except (ValueError, RecursionError):
        raise BadRequest("the body is not JSON") from None
    if not isinstance(data, dict):
        raise BadRequest("the body must be one JSON object")
    unknown = sorted(set(data) - set(known))
    if unknown:
        raise BadRequest("unknown field %s; known: %s" % (", ".join(unknown)[:80], ", ".join(known)))
    return data


def _number(value: Any, name: str, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise BadRequest("%s: expected a number from %g to %g, found %r" % (name, low, high, str(value)[:40]))
    return float(value)


async def page(request: web.Request) -> web.Response:
    """Serve the page: static text without data; it asks for the token and then for everything else."""
    name, kind = PAGE[request.path]
    text = (Path(__file__).parent / "page" / name).read_text(encoding="utf-8")
    return web.Response(
        text=text,
        content_type=kind,
        headers={
            "Content-Security-Policy": POLICY,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-store",
        },
    )


class Admin:
    """Handlers of /sandbox/v1/."""

    def __init__(self, exchange: Exchange, rights: dict[str, tuple[str, ...]]) -> None:
        self._exchange = exchange
        #: venue -> rights its keys can have
        self._rights = rights

    def add_routes(self, app: web.Application) -> None:
        base = "/sandbox/v1"
        app.router.add_post(base + "/accounts", self.create_account)
        app.router.add_get(base + "/accounts", self.list_accounts)
        app.router.add_patch(base + "/accounts/{name}", self.change_account)
        app.router.add_post(base + "/keys", self.create_key)
        app.router.add_get(base + "/keys", self.list_keys)
        app.router.add_post(base + "/keys/{id:.+}/revoke", self.revoke_key)
        app.router.add_get(base + "/state/{name}", self.state)
        app.router.add_get(base + "/verdicts", self.verdicts)
        app.router.add_get(base + "/requests", self.requests)
        app.router.add_get(base + "/rules", self.rules)
        app.router.add_get(base + "/hosts", self.hosts)
        app.router.add_get(base + "/markets", self.markets)
        app.router.add_post(base + "/markets/{pair}/price", self.set_price)
        app.router.add_post(base + "/markets/{pair}/pattern", self.pattern)
        app.router.add_get(base + "/clock", self.clock)
        app.router.add_post(base + "/clock", self.set_clock)
        app.router.add_get(base + "/cruelties", self.cruelties)
        app.router.add_post(base + "/cruelties", self.start_cruelty)
        app.router.add_delete(base + "/cruelties", self.stop_cruelties)
        app.router.add_delete(base + "/cruelties/{id}", self.stop_cruelty)
        app.router.add_post(base + "/scenario", self.start_scenario)
        app.router.add_get(base + "/scenario", self.scenario)
        app.router.add_delete(base + "/scenario", self.stop_scenario)
        app.router.add_get("/metrics", self.metrics)
        for path in PAGE:
            app.router.add_get(path, page)

    # -- accounts and keys ---------------------------------------------------------------------------------------------

    async def create_account(self, request: web.Request) -> web.Response:
        data = await _body(request, ("name", "balances", "profile", "tier", "limits", "venue"))
        name = str(data.get("name", ""))
        if not _NAME.fullmatch(name):
            raise BadRequest("name: expected letters, digits, _ . - (at most 63), found %r" % name[:60])
        if name in self._exchange.engine.accounts:
            return _answer({"error": "account %s exists; change it with PATCH" % name}, 409)
        venue = str(data.get("venue", next(iter(self._rights))))
        if venue not in self._rights:
            raise BadRequest("venue: expected one of %s, found %r" % (", ".join(self._rights), venue[:40]))
        balances = self._balances(data.get("balances") or {}, venue)
        account = self._exchange.create_account(
            name,
            balances,
            profile.check(data.get("profile")),
            self._tier(data.get("tier", "pro")),
            self._limits(data.get("limits")),
            venue,
        )
        await self._exchange.durable()
        return _answer(account_view(self._exchange, account), 201)

    def _balances(self, raw: Any, venue: str) -> dict[str, Decimal]:
        """Read first balances. `um:USDT` is the futures wallet."""
        items = [item for item in self._exchange.engine.instruments.values() if item.venue == venue]
        assets = {item.quote for item in items} | {item.base for item in items if item.contract is None}
        assets |= {item.quote.removeprefix(WALLET) for item in items}
        if not isinstance(raw, dict):
            raise BadRequest('balances: expected {"USDT": "200"}')
        out = {}
        for asset, value in raw.items():
            if asset not in assets:
                raise BadRequest("balances: unknown asset %r; known: %s" % (str(asset)[:20], ", ".join(sorted(assets))))
            try:
                out[asset] = parse(value)
            except ValueError as exc:
                raise BadRequest("balances.%s: %s" % (asset, exc)) from None
            if out[asset] < 0 or out[asset] > Decimal(10) ** 15:
                raise BadRequest("balances.%s: expected 0 to 1e15, found %s" % (asset, value))
        return out

    @staticmethod
    def _tier(raw: Any) -> str:
        if raw not in KRAKEN_TIERS:
            raise BadRequest("tier: expected one of %s, found %r" % (", ".join(KRAKEN_TIERS), str(raw)[:40]))
        return str(raw)

    @staticmethod
    def _limits(raw: Any) -> dict[str, Any]:
        if raw is None:
            return {}
        known = ("max", "decay", "trade_max", "trade_decay", "open_orders")
        if not isinstance(raw, dict) or set(raw) - set(known):
            raise BadRequest("limits: expected an object with %s" % ", ".join(known))
        return {name: _number(value, "limits.%s" % name, 0.0001, 1e12) for name, value in raw.items()}

    async def list_accounts(self, request: web.Request) -> web.Response:
        return _answer(
            {
                "accounts": [
                    account_view(self._exchange, item, short=True) for item in self._exchange.engine.accounts.values() if not item.house
                ]
            }
        )

    def _account(self, name: str) -> Any:
        account = self._exchange.engine.accounts.get(name)
        if account is None or account.house:
            raise NotFound("no account %r; create it with POST /sandbox/v1/accounts" % name[:63])
        return account

    async def change_account(self, request: web.Request) -> web.Response:
        """Change what an account declares, or put assets on it or take them off (deposit may be negative)."""
        account = self._account(request.match_info["name"])
        data = await _body(request, ("profile", "tier", "limits", "deposit"))
        wanted = profile.check(data["profile"]) if "profile" in data else account.profile
        tier = self._tier(data.get("tier", account.tier))
        limits = self._limits(data["limits"]) if "limits" in data else account.limits
        self._exchange.change_account(
            account, wanted, tier, limits, {asset: str(value) for asset, value in (data.get("deposit") or {}).items()}
        )
        await self._exchange.durable()
        return _answer(account_view(self._exchange, account))

    async def create_key(self, request: web.Request) -> web.Response:
        data = await _body(request, ("account", "venue", "rights", "ip_allowlist", "nonce_window", "name", "valid_for_s", "age_s"))
        account = self._account(str(data.get("account", "")))
        venue = str(data.get("venue", account.venue))
        if venue not in self._rights or venue != account.venue:
            raise BadRequest("venue: expected %s, the account's, found %r" % (account.venue, venue[:40]))
        rights, allowlist = data.get("rights"), data.get("ip_allowlist") or []
        if not isinstance(rights, list) or set(map(str, rights)) - set(self._rights[venue]):
            raise BadRequest("rights: expected a list out of %s" % ", ".join(self._rights[venue]))
        if not isinstance(allowlist, list):
            raise BadRequest("ip_allowlist: expected a list of addresses and networks")
        window = int(_number(data.get("nonce_window", 0), "nonce_window", 0, 1e9))
        now = self._exchange.clock.now()
        created = now - _number(data.get("age_s", 0), "age_s", 0, 1e9)  # a key that somebody has had for long
        key = self._exchange.keys.mint(
            account.name, venue, tuple(map(str, rights)), tuple(map(str, allowlist)), window, created, str(data.get("name", ""))[:64]
        )
        if "valid_for_s" in data:
            key.valid_until = now + _number(data["valid_for_s"], "valid_for_s", 1, 1e9)
            self._exchange.keys.save()
        return _answer(
            {
                "key": key.id,
                "secret": self._exchange.secret_text(key),
                "account": account.name,
                "venue": venue,
                "rights": list(key.rights),
                "ip_allowlist": list(key.ip_allowlist),
                "nonce_window": window,
            },
            201,
        )

    async def list_keys(self, request: web.Request) -> web.Response:
        return _answer(
            {
                "keys": [
                    {
                        "key": key.id,
                        "account": key.account,
                        "venue": key.venue,
                        "rights": list(key.rights),
                        "ip_allowlist": list(key.ip_allowlist),
                        "nonce_window": key.nonce_window,
                        "revoked": key.revoked,
                        "nonce": str(key.nonce),
                        "created": key.created,
                        "last_used": key.last_used,
                    }
                    for key in self._exchange.keys.by_id.values()
                ]
            }
        )

    async def revoke_key(self, request: web.Request) -> web.Response:
        key = self._exchange.keys.by_id.get(request.match_info["id"])
        if key is None:
            raise NotFound("no such key")
        key.revoked = True
        self._exchange.keys.save()
        return _answer({"key": key.id, "revoked": True})

    # -- what was seen -------------------------------------------------------------------------------------------------

    async def state(self, request: web.Request) -> web.Response:
        return _answer(account_view(self._exchange, self._account(request.match_info["name"])))

    def _window(self, request: web.Request) -> tuple[str | None, float, float]:
        values = []
        for name, default in (("since", 0.0), ("until", EVER)):
            raw = request.query.get(name)
            try:
                values.append(default if raw in (None, "") else float(str(raw)))
            except ValueError:
                raise BadRequest("%s: expected seconds since 1970 (exchange time), found %r" % (name, str(raw)[:40])) from None
        return request.query.get("account"), values[0], values[1]

    async def verdicts(self, request: web.Request) -> web.Response:
        account, since, until = self._window(request)
        self._exchange.advance()
        report = await self._exchange.recorder.verdicts(account, since, until, RULES)
        return _answer({**report, "now": self._exchange.clock.now()})

    async def requests(self, request: web.Request) -> web.Response:
        account, since, until = self._window(request)
        try:
            limit = min(MOST_RECORDS, max(1, int(request.query.get("limit", MOST_RECORDS))))
        except ValueError:
            raise BadRequest("limit: expected a number") from None
        rows, total = await self._exchange.recorder.newest(account, since, until, limit)
        return _answer({"requests": rows, "total": total, "now": self._exchange.clock.now()})

    async def rules(self, request: web.Request) -> web.Response:
        return _answer({"rules": RULES})

    async def hosts(self, request: web.Request) -> web.Response:
        """Names that clients asked for in their TLS handshakes, and what that says about them."""
        return _answer(self._exchange.doors.report())

    async def metrics(self, request: web.Request) -> web.Response:
        self._exchange.recorder.say()
        for name in CATALOGUE:
            active = sum(1 for item in self._exchange.cruelties.active.values() if item.name == name)
            self._exchange.metrics.cruelties.labels("true", name).set(active)
        return web.Response(
            body=generate_latest(self._exchange.metrics.registry), content_type="text/plain", headers={MARKER_HEADER: MARKER_VALUE}
        )

    # -- markets and clock ---------------------------------------------------------------------------------------------

    def _market(self, request: web.Request) -> Any:
        symbol = self._exchange.symbol_of(request.match_info["pair"])
        if symbol is None:
            raise NotFound("no pair %r; known: %s" % (request.match_info["pair"][:20], ", ".join(self._exchange.engine.instruments)))
        return self._exchange.markets.by_symbol[symbol]

    async def markets(self, request: web.Request) -> web.Response:
        engine = self._exchange.engine
        out = {}
        for symbol, market in self._exchange.markets.by_symbol.items():
            book = engine.books[symbol]
            out[symbol] = {
                "status": market.status,
                "price": plain(engine.index_price[symbol]),
                "last": plain(engine.last_price[symbol]),
                "bids": [[plain(price), plain(qty)] for price, qty in book.bids.depth(5)],
                "asks": [[plain(price), plain(qty)] for price, qty in book.asks.depth(5)],
                "as_of": market.as_of,
                "pattern": None if market.generator.pattern is None else market.generator.pattern.name,
            }
        return _answer({"markets": out, "patterns": list(PATTERNS), "now": self._exchange.clock.now()})

    async def set_price(self, request: web.Request) -> web.Response:
        market = self._market(request)
        data = await _body(request, ("price", "pct"))
        if ("price" in data) == ("pct" in data):
            raise BadRequest("give either price (quote currency) or pct (percent of the present price)")
        if "price" in data:
            try:
                market.generator.set_price(float(parse(data["price"])))
            except ValueError:
                raise BadRequest("price: expected a number above 0, found %r" % str(data["price"])[:40]) from None
        else:
            market.generator.shift(_number(data["pct"], "pct", -99.9, 10_000))
        now = self._exchange.clock.now()
        market.refresh(now)
        self._exchange.advance()
        return _answer(
            {"pair": market.instrument.symbol, "price": plain(self._exchange.engine.index_price[market.instrument.symbol]), "now": now}
        )

    async def pattern(self, request: web.Request) -> web.Response:
        market = self._market(request)
        data = await _body(request, ("name", "for_s", "params"))
        params = {str(name): _number(value, "params.%s" % name, -1e6, 1e6) for name, value in (data.get("params") or {}).items()}
        for_s = _number(data.get("for_s", 60), "for_s", 0.1, 7 * 86_400)
        now = self._exchange.clock.now()
        try:
            market.generator.start_pattern(str(data.get("name", "")), now, for_s, params)
        except ValueError as exc:
            raise BadRequest("pattern: %s" % exc) from None
        market.refresh(now)
        self._exchange.advance()
        return _answer({"pair": market.instrument.symbol, "pattern": data.get("name"), "until": now + for_s, "now": now})

    async def clock(self, request: web.Request) -> web.Response:
        return _answer(self._exchange.clock.state())

    async def set_clock(self, request: web.Request) -> web.Response:
        data = await _body(request, ("freeze", "step", "scale", "to"))
        if len(data) != 1:
            raise BadRequest("give exactly one of freeze (true), step (seconds), scale (factor), to (seconds since 1970)")
        clock = self._exchange.clock
        try:
            if "freeze" in data:
                clock.freeze() if data["freeze"] else clock.scale(1.0)
            elif "step" in data:
                clock.step(_number(data["step"], "step", 0, 366 * 86_400))
            elif "to" in data:
                clock.jump_to(_number(data["to"], "to", 0, 1e11))
            else:
                clock.scale(_number(data["scale"], "scale", 0, 1_000_000))
        except ValueError as exc:
            raise BadRequest("clock: %s" % exc) from None
        self._exchange.advance()
        await self._exchange.durable()
        return _answer(clock.state())

    # -- cruelties -----------------------------------------------------------------------------------------------------

    async def cruelties(self, request: web.Request) -> web.Response:
        known = {
            name: {
                "title": spec.title,
                "where": spec.where,
                "imitates": spec.imitates,
                "params": {key: {"default": default, "meaning": meaning} for key, (default, meaning) in spec.params.items()},
            }
            for name, spec in CATALOGUE.items()
        }
        return _answer(
            {
                "active": [item.to_dict() for item in self._exchange.cruelties.active.values()],
                "known": known,
                "now": self._exchange.clock.now(),
            }
        )

    async def start_scenario(self, request: web.Request) -> web.Response:
        """Check all steps, then begin."""
        data = await _body(request, ("steps",))
        self._exchange.scenario.start(check_steps(data.get("steps")))
        self._exchange.advance()
        return _answer({**self._exchange.scenario.report(), "now": self._exchange.clock.now()}, 201)

    async def scenario(self, request: web.Request) -> web.Response:
        self._exchange.advance()
        return _answer({**self._exchange.scenario.report(), "now": self._exchange.clock.now()})

    async def stop_scenario(self, request: web.Request) -> web.Response:
        self._exchange.scenario.stop()
        return await self.scenario(request)

    async def start_cruelty(self, request: web.Request) -> web.Response:
        data = await _body(request, ("name", "params", "for_s", "account"))
        if data.get("account") is not None:
            self._account(str(data["account"]))
        item = self._exchange.start_cruelty(str(data.get("name", "")), data.get("params"), data.get("for_s", 60), data.get("account"))
        return _answer({**item.to_dict(), "now": self._exchange.clock.now()}, 201)

    async def stop_cruelty(self, request: web.Request) -> web.Response:
        item = self._exchange.stop_cruelty(request.match_info["id"])
        return _answer({**item.to_dict(), "now": self._exchange.clock.now()})

    async def stop_cruelties(self, request: web.Request) -> web.Response:
        stopped = [self._exchange.stop_cruelty(name).to_dict() for name in list(self._exchange.cruelties.active)]
        return _answer({"stopped": stopped, "now": self._exchange.clock.now()})
