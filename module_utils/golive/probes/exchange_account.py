"""exchange_account: the venue's own word on market, endpoint and account, by a key that may only query. Kraken, spot and margin."""

from __future__ import annotations

import ipaddress
import json
import time
from decimal import Decimal
from typing import Any, Dict, List, Mapping, Optional, Tuple

from ..errors import Undecided
from ..guard.entry import average_entry
from . import _kraken_margin as margin
from ._kraken import Kraken, Said, need, number, one
from .look import Look, Observed

WITNESS = "venue"
DEADLINE_S = 30
ASK = {
    "venue": "str; required; kraken",
    "base_url": "str; optional; https://host[:port], the venue's own is the default",
    "ca_file": "str; optional; extra CA on the looking host",
    "pairs": "list of str; optional; pairs as BASE/QUOTE whose market is asked for",
    "credential": "str; optional; reference to JSON with key and secret of a key that may query; asks for the account",
    "quote": "str; optional; currency of equity and stops, USDT is the default",
    "notional": "number; optional; with pairs: size in quote currency that must be sold again",
    "peg_pairs": "list of str; optional; two pairs; the price of the first divided by that of the second",
    "client_id_prefix": "str; optional; with credential: orders without it are foreign",
    "stop_distance_max": "number; optional; with credential: fraction of the entry price that a stop may be away from it",
    "bot_health_url": "str; optional; with pairs: http address where the bot tells its prices (`prices`)",
    "bot_configuration": "str; optional; with pairs and credential: file with the fee that the bot models (paper.taker_fee)",
}
FACTS = {
    "venue_status": "str; online, maintenance, cancel_only, post_only",
    "clock_offset_abs_s": "number; this host against the venue, to half a second",
    "pairs_missing": "list of str; pairs that the venue does not know",
    "pairs_not_tradable": "list of str; pair: status",
    "endpoint.*": "private_address bool, hosts_entry bool, sandbox_marker bool, address str, tls_issuer str, host str",
    "exit.*": "below_minimum list of str, depth_ratio_min number, spread_bps_max number: selling a position of notional",
    "peg.price": "number",
    "price.difference_bps_max": "number; the bot's price against the venue's",
    "fees.*": "modelled_below_venue list of str, venue_taker_max number (fraction)",
    "open_orders": "int",
    "positions": "int; base assets worth more than dust, and margin positions",
    "foreign_assets": "list of str; assets that are held, by the venue's name",
    "margin_used": "bool",
    "equity": "str; decimal, in quote currency, with the profit of positions on margin",
    "unpriced": "list of str; assets that are held and cannot be valued",
    "foreign_orders": "list of str; ids of open and recent orders without the bot's prefix",
    "positions_without_stop": "list of str; asset, or pair and margin: uncovered size",
    "stops_insane": "list of str; id: trigger of a stop, the price paid and the price now: too far from the first, or on the wrong side",
}
_DUST = Decimal("0.5")  # quote currency: below the venue's least order value nothing can be sold
_STABLE = {"USDT", "USDC", "ZUSD", "USD", "DAI"}
_POINTS = Decimal(10000)
_PAGE, _PAGES = 50, 4  # closed orders a page, and pages that are looked through for what a position was bought at


def observe(ask: Mapping[str, Any], look: Look) -> Observed:
    """Ask the venue. Opportunities are the pairs, orders and assets that were looked at."""
    if ask["venue"] != "kraken":
        raise Undecided("only kraken can be asked for an account yet")
    ca_file = str(ask.get("ca_file") or "")
    venue = Kraken(str(ask.get("base_url") or ""), ca_file, look.rehearsal, max(1.0, look.left() - 1))
    facts: Dict[str, Any] = {}
    count = 0
    try:
        facts.update(_state(venue, look))
        pairs = {name: _pair(venue, name, facts) for name in [str(one) for one in ask.get("pairs") or []]}
        known = {name: row for name, row in pairs.items() if row is not None}
        count += len(known)
        facts.update(_market(ask, known, venue, look))
        if ask.get("credential"):
            venue.log_in(str(ask["credential"]), look.secret(str(ask["credential"])))
            count += _account(ask, known, venue, facts)
    except Said as exc:
        raise Undecided("the venue refused the question: %s" % exc.words) from None
    facts.update(_endpoint(venue))
    return Observed(facts, opportunities=count)


def _state(venue: Kraken, look: Look) -> Dict[str, Any]:
    status = venue.public("SystemStatus")
    word = status.get("status") if isinstance(status, dict) else None
    if not isinstance(word, str):
        raise Undecided("the venue does not tell its status")
    before = look.now().timestamp()
    said = venue.public("Time")
    after = look.now().timestamp()
    told = need(said.get("unixtime") if isinstance(said, dict) else None, "unixtime")
    # The venue tells whole seconds: its time lies between the number and one second later.
    early, late = float(told) - after, float(told) + 1 - before
    offset = 0.0 if early <= 0 <= late else min(abs(early), abs(late))
    return {"venue_status": word[:40], "clock_offset_abs_s": round(offset, 3), "pairs_missing": [], "pairs_not_tradable": []}


def _altname(pair: str) -> str:
    base, _, quote = pair.partition("/")
    if not (base.isalnum() and quote.isalnum()):
        raise Undecided("%s is not a pair" % pair[:40])
    return base + quote


def _pair(venue: Kraken, name: str, facts: Dict[str, Any]) -> Optional[Mapping[str, Any]]:
    try:
        row = one(venue.public("AssetPairs", pair=_altname(name)), "AssetPairs")
    except Said as exc:
        if "Unknown asset pair" not in exc.words:
            raise
        facts["pairs_missing"].append(name)
        return None
    if row.get("status") != "online":
        facts["pairs_not_tradable"].append("%s: %s" % (name, str(row.get("status"))[:40]))
    return row


def _price(venue: Kraken, name: str) -> Decimal:
    ticker = one(venue.public("Ticker", pair=_altname(name)), "Ticker")
    last = ticker.get("c")
    return need(last[0] if isinstance(last, list) and last else None, "Ticker.c")


def _market(ask: Mapping[str, Any], known: Mapping[str, Mapping[str, Any]], venue: Kraken, look: Look) -> Dict[str, Any]:
    facts: Dict[str, Any] = {}
    if ask.get("notional") and known:
        facts.update(_exit(need(ask["notional"], "notional"), known, venue))
    if ask.get("peg_pairs"):
        above, below = [_price(venue, str(name)) for name in ask["peg_pairs"]]
        facts["peg.price"] = float(above / below) if below else None
    if ask.get("bot_health_url") and known:
        facts["price.difference_bps_max"] = _difference(str(ask["bot_health_url"]), known, venue, look)
    return facts


def _exit(notional: Decimal, known: Mapping[str, Mapping[str, Any]], venue: Kraken) -> Dict[str, Any]:
    """Walk the bids: what is left of a position after the entry's fee must be above the minimums and fit the book many times."""
    below, depths, spreads = [], [], []
    for name, row in known.items():
        book = one(venue.public("Depth", pair=_altname(name), count="100"), "Depth")
        bids, asks = _levels(book.get("bids")), _levels(book.get("asks"))
        if not bids or not asks:
            raise Undecided("the book of %s has no two sides" % name)
        best_bid, best_ask = bids[0][0], asks[0][0]
        size = notional / best_ask * Decimal("0.99")  # what the entry's fee and slippage leave
        if size < need(row.get("ordermin"), "ordermin") or size * best_bid < (number(row.get("costmin")) or _DUST):
            below.append(name)
        reach = best_bid * Decimal("0.99")
        depths.append(sum(price * volume for price, volume in bids if price >= reach) / notional)
        spreads.append((best_ask - best_bid) / best_ask * _POINTS)
    return {"exit.below_minimum": below, "exit.depth_ratio_min": float(min(depths)), "exit.spread_bps_max": float(max(spreads))}


def _levels(raw: Any) -> List[Tuple[Decimal, Decimal]]:
    rows = [(number(row[0]), number(row[1])) for row in raw if isinstance(row, list) and len(row) >= 2] if isinstance(raw, list) else []
    return [(price, volume) for price, volume in rows if price is not None and volume is not None and price > 0 and volume >= 0]


def _difference(url: str, known: Mapping[str, Any], venue: Kraken, look: Look) -> float:
    """How far the bot's price lies outside what the venue said just before and just after it: two clocks are never read at once."""
    before = {name: _quoted(venue, name) for name in known}
    answer = look.get(url)
    try:
        prices = json.loads(answer.body.decode("utf-8"))["prices"]
        said = {name: need(prices[name], "the bot's price of %s" % name) for name in known}
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Undecided("the bot does not tell its prices at %s" % url[:120]) from None
    found = []
    for name, rows in before.items():
        seen = rows + _quoted(venue, name)
        found.append(max(min(seen) - said[name], said[name] - max(seen), Decimal(0)) / rows[0] * _POINTS)
    return float(max(found))


def _quoted(venue: Kraken, name: str) -> List[Decimal]:
    """Return the last trade, the best bid and the best ask."""
    ticker = one(venue.public("Ticker", pair=_altname(name)), "Ticker")
    rows = [ticker.get(field) for field in ("c", "b", "a")]
    return [need(row[0] if isinstance(row, list) and row else None, "Ticker") for row in rows]


def _account(ask: Mapping[str, Any], known: Mapping[str, Mapping[str, Any]], venue: Kraken, facts: Dict[str, Any]) -> int:
    """Read balances, orders and margin; return how many of them there were."""
    quote = str(ask.get("quote") or "USDT")
    raw = venue.private("BalanceEx")
    if not isinstance(raw, dict):
        raise Undecided("the venue does not tell the balances")
    held = {name: amount for name, amount in ((str(name), _balance(row)) for name, row in raw.items()) if amount > 0}
    values, unpriced = _values(held, quote, venue)
    margins, profit = margin.positions(venue)  # before the orders: a position that opens in between is not seen without its stop
    orders = _orders(venue)
    bases = [name for name in held if name not in _STABLE and name != quote and values.get(name, _DUST) >= _DUST]
    facts.update({
        "open_orders": len(orders), "positions": len(bases) + len(margins), "margin_used": bool(margins),
        "foreign_assets": sorted(name for name in held if values.get(name, _DUST) >= _DUST), "unpriced": unpriced,
        "equity": format(sum(values.values(), profit).quantize(Decimal("0.0001")), "f"),
    })  # fmt: skip
    if ask.get("client_id_prefix"):
        facts["foreign_orders"] = _foreign({**orders, **_closed(venue)}, str(ask["client_id_prefix"]))
    if ask.get("stop_distance_max"):
        most = need(ask["stop_distance_max"], "stop_distance_max")
        bare, insane = _protection(bases, held, values, orders, most, venue)
        bare_margin, insane_margin = margin.protection(margins, orders, most, venue)
        facts.update({"positions_without_stop": bare + bare_margin, "stops_insane": insane + insane_margin})
    if ask.get("bot_configuration") and known:
        facts.update(_fees(str(ask["bot_configuration"]), list(known), venue))
    return len(held) + len(orders)


def _balance(row: Any) -> Decimal:
    return need(row.get("balance") if isinstance(row, dict) else row, "a balance")


def _values(held: Mapping[str, Decimal], quote: str, venue: Kraken) -> Tuple[Dict[str, Decimal], List[str]]:
    """Return what each asset is worth in quote currency, and those that nobody prices: they count as held, never as nothing."""
    values: Dict[str, Decimal] = {}
    unpriced: List[str] = []
    for name, amount in held.items():
        if name == quote or name in _STABLE:
            values[name] = amount
            continue
        try:
            values[name] = amount * _price(venue, "%s/%s" % (_plain(name), quote))
        except Said:
            unpriced.append(name)
    return values, sorted(unpriced)


def _orders(venue: Kraken) -> Dict[str, Mapping[str, Any]]:
    found = venue.private("OpenOrders")
    rows = found.get("open") if isinstance(found, dict) else None
    if not isinstance(rows, dict):
        raise Undecided("the venue does not tell the open orders")
    return {str(name): row for name, row in rows.items() if isinstance(row, dict)}


def _closed(venue: Kraken) -> Dict[str, Mapping[str, Any]]:
    found = venue.private("ClosedOrders", start=str(int(time.time()) - 86400))
    rows = found.get("closed") if isinstance(found, dict) else None
    if not isinstance(rows, dict):
        raise Undecided("the venue does not tell the closed orders")
    return {str(name): row for name, row in rows.items() if isinstance(row, dict)}


def _foreign(orders: Mapping[str, Mapping[str, Any]], prefix: str) -> List[str]:
    return sorted(name for name, row in orders.items() if not str(row.get("cl_ord_id") or "").startswith(prefix))


def _protection(bases: List[str], held: Mapping[str, Decimal], values: Mapping[str, Decimal], orders: Mapping[str, Mapping[str, Any]],
                most: Decimal, venue: Kraken) -> Tuple[List[str], List[str]]:  # fmt: skip
    """Hold coins against the selling stops that rest: size, and distance from what was paid. One of another pair, or of a position on

    margin, covers nothing. Returns (positions without stop, stops that are not sane).
    """
    covered: Dict[str, Decimal] = {}
    entries: Dict[str, Decimal] = {}
    insane: List[str] = []
    for name, row in orders.items():
        about = row.get("descr")
        if (
            not isinstance(about, dict)
            or about.get("type") != "sell"
            or not str(about.get("ordertype")).startswith(("stop-loss", "trailing-stop"))
        ):
            continue
        asset = next((base for base in bases if _of(row, base)), None)
        if asset is None:
            continue
        covered[asset] = covered.get(asset, Decimal(0)) + need(row.get("vol"), "vol") - (number(row.get("vol_exec")) or 0)
        price, now = number(about.get("price")), values[asset] / held[asset] if held[asset] else Decimal(0)
        if str(about.get("ordertype")).startswith("stop-loss"):
            if asset not in entries:
                entries[asset] = _entry(asset, held[asset], orders, venue)
            paid = entries[asset]
            if not price or not now or price >= now or (paid - price) / paid > most:
                insane.append("%s: %s of %s, now %s" % (name, price, _short(paid), _short(now)))
    naked = {base: held[base] - covered.get(base, Decimal(0)) for base in bases}
    # A size below dust cannot be protected by any order; it is no position.
    open_ = ["%s: %s" % (base, size.normalize()) for base, size in sorted(naked.items()) if size * _unit(values, held, base) >= _DUST]
    return open_, sorted(insane)


def _of(row: Mapping[str, Any], base: str) -> bool:
    about = row.get("descr")
    pair = str(about.get("pair", "")).upper() if isinstance(about, dict) else ""
    return pair.startswith(_plain(base)) and not margin.on_margin(row)


def _plain(asset: str) -> str:
    """Return an asset of the balance as it stands in the name of a pair: XXRP is XRP there, XXBT is XBT."""
    return asset[1:] if len(asset) == 4 and asset[0] in "XZ" else asset


def _entry(asset: str, size: Decimal, orders: Mapping[str, Mapping[str, Any]], venue: Kraken) -> Decimal:
    """Return the average price that was paid. Raises Undecided: the price of now says nothing about how much a stop may lose."""
    fills = _fills(asset, orders)
    for page in range(_PAGES):
        found = venue.private("ClosedOrders", ofs=str(page * _PAGE))
        rows = found.get("closed") if isinstance(found, dict) else None
        if not isinstance(rows, dict):
            raise Undecided("the venue does not tell the closed orders")
        fills += _fills(asset, rows)
        paid = average_entry(size, fills)
        if paid:
            return paid
        if len(rows) < _PAGE:
            break
    raise Undecided("closed orders do not reach back to what %s was bought at: how far its stop is from that cannot be told" % asset)


def _fills(asset: str, orders: Mapping[str, Any]) -> List[Tuple[str, Decimal, Decimal]]:
    rows = [row for row in orders.values() if isinstance(row, dict) and _of(row, asset) and (number(row.get("vol_exec")) or 0) > 0]
    rows.sort(key=lambda row: -float(number(row.get("closetm")) or number(row.get("opentm")) or 0))
    return [(str(row["descr"].get("type")), need(row.get("vol_exec"), "vol_exec"), need(row.get("cost"), "cost")) for row in rows]


def _short(value: Decimal) -> str:
    return format(Decimal("%.8g" % value), "f")


def _unit(values: Mapping[str, Decimal], held: Mapping[str, Decimal], base: str) -> Decimal:
    return values[base] / held[base] if base in values and held[base] else _DUST  # an asset without a price counts as one


def _fees(path: str, pairs: List[str], venue: Kraken) -> Dict[str, Any]:
    try:
        with open(path, "rb") as handle:
            modelled = need(json.loads(handle.read(1 << 20).decode("utf-8"))["paper"]["taker_fee"], "paper.taker_fee")
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise Undecided("%s does not tell the fee that the bot models" % path[:120]) from None
    below, most = [], Decimal(0)
    for name in pairs:
        found = venue.private("TradeVolume", pair=_altname(name))
        fee = need(one(found.get("fees") if isinstance(found, dict) else None, "TradeVolume").get("fee"), "fee") / 100
        most = max(most, fee)
        if modelled < fee:
            below.append("%s: %s below %s" % (name, modelled, fee.normalize()))
    return {"fees.modelled_below_venue": below, "fees.venue_taker_max": float(most)}


def _endpoint(venue: Kraken) -> Dict[str, Any]:
    """Tell who answered. A private address, a hosts entry and the sandbox's mark are wanted in a rehearsal and red elsewhere."""
    address = venue.peer.address.split("%", 1)[0]
    try:
        private = not ipaddress.ip_address(address).is_global
    except ValueError:
        raise Undecided("the address of the venue is not known") from None
    return {"endpoint.address": address, "endpoint.private_address": private, "endpoint.hosts_entry": _hosts_entry(venue.where.host),
            "endpoint.sandbox_marker": venue.marked, "endpoint.tls_issuer": venue.peer.issuer,
            "endpoint.host": venue.where.host}  # fmt: skip


def _hosts_entry(name: str) -> bool:
    try:
        with open("/etc/hosts", encoding="utf-8", errors="replace") as handle:
            return any(name in line.split("#", 1)[0].split()[1:] for line in handle)
    except OSError:
        return False
