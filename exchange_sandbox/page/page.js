// The page asks the administration interface and shows its answers. The token stays in this tab's memory and is never stored.
"use strict";

const byId = (id) => document.getElementById(id);
let token = "";
let equity = [];
let shownAccount = null;
const POLL_MS = 1000;

async function ask(method, path, body) {
  const answer = await fetch("sandbox/v1/" + path, {
    method, headers: {Authorization: "Bearer " + token}, body: body === undefined ? undefined : JSON.stringify(body),
  });
  const data = await answer.json();
  if (!answer.ok) throw new Error(data.error);
  return data;
}

// Text only: what an exchange or a bot wrote never becomes markup.
function fill(table, rows) {
  const body = byId(table).tBodies[0];
  body.replaceChildren(...rows.map((cells) => {
    const row = document.createElement("tr");
    for (const cell of cells) {
      const place = document.createElement("td");
      if (cell instanceof Node) place.append(cell);
      else if (cell !== null && typeof cell === "object") { place.textContent = cell.text; place.className = cell.name; }
      else place.textContent = cell === null || cell === undefined ? "" : String(cell);
      row.append(place);
    }
    return row;
  }));
}

function options(select, names) {
  const list = byId(select);
  if ([...list.options].map((item) => item.value).join("\n") === names.join("\n")) return;
  const chosen = list.value;
  list.replaceChildren(...names.map((name) => new Option(name, name)));
  if (names.includes(chosen)) list.value = chosen;
}

function curve(value) {
  if (shownAccount !== byId("account").value) { equity = []; shownAccount = byId("account").value; }
  equity.push(Number(value));
  equity = equity.slice(-300);
  const low = Math.min(...equity), high = Math.max(...equity), span = high - low || 1;
  const points = equity.map((item, index) => `${(index / Math.max(1, equity.length - 1)) * 300},${56 - ((item - low) / span) * 52}`);
  byId("curve").querySelector("polyline").setAttribute("points", points.join(" "));
}

function showBook(market) {
  const rows = Math.max(market.bids.length, market.asks.length);
  fill("book", Array.from({length: rows}, (_, index) => {
    const bid = market.bids[index] || ["", ""], ask_ = market.asks[index] || ["", ""];
    return [bid[1], bid[0], ask_[0], ask_[1]];
  }));
}

function showAccount(state) {
  byId("equity").textContent = state.equity_usd === null ? "unknown" : `$${Number(state.equity_usd).toFixed(4)} · ${state.fills_total} fills`;
  if (state.equity_usd !== null) curve(state.equity_usd);
  fill("balances", Object.entries(state.balances).map(([asset, amount]) => [asset, amount, state.held[asset] || "0"]));
  fill("orders", state.orders.open.map((order) => [order.id, order.symbol, order.side, order.type, order.qty, order.filled, order.limit_price, order.stop_price]));
}

function showVerdicts(report) {
  const totals = report.totals;
  byId("totals").textContent = `${totals.requests} requests: ${totals.pass} pass, ${totals.fail} fail, ${totals.unjudged} unjudged; ${totals.order_requests} order requests`;
  fill("verdicts", Object.entries(report.rules).map(([rule, row]) => {
    const newest = row.samples[row.samples.length - 1];
    return [rule, {text: row.pass, name: row.pass ? "pass" : ""}, {text: row.fail, name: row.fail ? "fail" : ""}, row.unjudged, newest ? newest.why : ""];
  }));
}

function showCruelties(report) {
  const active = new Map(report.active.map((item) => [item.name, item]));
  const focused = document.activeElement && document.activeElement.dataset ? document.activeElement.dataset.cruelty : undefined;
  fill("cruelties", Object.entries(report.known).map(([name, spec]) => {
    const button = document.createElement("button");
    const running = active.get(name);
    button.type = "button";
    button.dataset.cruelty = name;
    button.setAttribute("aria-pressed", String(Boolean(running)));
    button.textContent = running ? `End ${name}` : `Start ${name}`;
    button.addEventListener("click", () => guarded(async () => {
      if (running) await ask("DELETE", "cruelties/" + running.id);
      else await ask("POST", "cruelties", {name, for_s: Number(byId("for-s").value), account: byId("account").value || null});
      await refresh();
    }));
    return [name, spec.title, running ? `${running.fired} times, ${Math.max(0, running.until - report.now).toFixed(0)} s left` : "", button];
  }));
  if (focused) document.querySelector(`[data-cruelty="${CSS.escape(focused)}"]`)?.focus();
}

async function refresh() {
  const [accounts, markets, cruelties] = await Promise.all([ask("GET", "accounts"), ask("GET", "markets"), ask("GET", "cruelties")]);
  byId("clock").textContent = "Exchange time " + new Date(markets.now * 1000).toISOString().replace("T", " ").slice(0, 19) + " UTC";
  options("account", accounts.accounts.map((item) => item.name));
  options("pair", Object.keys(markets.markets));
  const pair = markets.markets[byId("pair").value];
  if (pair) showBook(pair);
  showCruelties(cruelties);
  const name = byId("account").value;
  if (!name) return;
  const [state, report] = await Promise.all([ask("GET", "state/" + encodeURIComponent(name)), ask("GET", "verdicts?account=" + encodeURIComponent(name))]);
  showAccount(state);
  showVerdicts(report);
}

async function guarded(work) {
  try { await work(); byId("trouble").textContent = ""; }
  catch (error) { byId("trouble").textContent = error.message; }
}

async function poll() {
  if (!document.hidden) await guarded(refresh);
  setTimeout(poll, POLL_MS);
}

byId("door").addEventListener("submit", async (event) => {
  event.preventDefault();
  token = byId("token").value;
  try {
    await ask("GET", "clock");
  } catch (error) {
    byId("refused").textContent = error.message;
    return;
  }
  byId("token").value = "";
  byId("door").hidden = true;
  byId("desk").hidden = false;
  poll();
});
byId("stop-all").addEventListener("click", () => guarded(async () => { await ask("DELETE", "cruelties"); await refresh(); }));
for (const id of ["account", "pair"]) byId(id).addEventListener("change", () => guarded(refresh));
