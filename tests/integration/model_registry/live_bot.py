"""A bot on the lab host that loads the model in force, tells what it loaded, and guards its store: what the controls look at."""
from __future__ import annotations

import json

from tests.fixtures import models as m
from tests.integration.model_registry.conftest import CRYPTO, SWING, Host

BOT = '''
import http.server, json, mmap, os, sys
settings = json.load(open("/etc/bot/live.json"))
given = dict(zip(sys.argv[1::2], sys.argv[2::2]))
pointer = json.load(open(settings["APPROVED_MODEL_PATH"]))
approved = os.path.join(os.path.dirname(settings["APPROVED_MODEL_PATH"]), pointer["files"][0]["path"])
held = open(given.get("--model", approved), "rb")
mapped = mmap.mmap(held.fileno(), 0, prot=mmap.PROT_READ)
also = open(given["--hold"], "rb") if "--hold" in given else None
digest = "sha256:" + "0" * 64 if "--model" in given else pointer["digest"]
class Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"model": {"digest": digest}, "config": settings}).encode()
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers(); self.wfile.write(body)
    def log_message(self, *words): pass
http.server.HTTPServer(("127.0.0.1", 8000), Health).serve_forever()
'''
GUARD = '''
import os
class Store:
    def __init__(self, root):
        if "/swing" in os.path.realpath(root):
            raise ValueError("this root belongs to another system")
'''
CODE = '"""Trade kraken_global."""\nROOT = "/srv/data/artifacts/crypto/kraken_global"\n'
UNIT = "[Service]\nUser=bot\nNoNewPrivileges=yes\nExecStart=/usr/bin/python3 /opt/model_bot.py\n"
CONFIG = {"VERIFY_MODEL_INTEGRITY": True, "APPROVED_MODEL_PATH": f"{CRYPTO}/models/approved_model.json",
          "downtime": {"start": "03:00", "end": "05:00"}, "timezone": "UTC"}
FEATURES = {name: {"edges": one["edges"], "counts": [int(1000 * share) for share in one["shares"]]} for name, one in m.SHARES.items()}
FILES = {"/opt/model_bot.py": BOT, "/opt/bot_code/bot_store.py": GUARD, "/opt/bot_code/trade.py": CODE,
         "/etc/bot/live.json": json.dumps(CONFIG),
         "/etc/systemd/system/bot-live.service": UNIT, "/var/lib/bot/live/features.json": json.dumps(FEATURES)}


def install(host: Host) -> None:
    """Start the bot, and keep a copy of it and of the registry, from which a break is healed."""
    host.must(f"umount {CRYPTO}/shadow 2>/dev/null; rm -rf /srv/kept /srv/before /run/systemd/system/bot-live.service.d")
    for path, text in FILES.items():
        write(host, path, text)
        host.must(f"mkdir -p /srv/kept && cp -a --parents {path} /srv/kept/")
    # What the swing system's own readers may read: without it, to be one of them would open nothing.
    theirs = f"{SWING}/models/approved_model.json"
    host.must(f"echo '{{}}' > {theirs}; chown swing-registry:swing-readers {theirs}; chmod 0440 {theirs}")
    restart(host)
    host.must(f"cp -a {CRYPTO} /srv/before")


def write(host: Host, path: str, text: str) -> None:
    """Write a file that everybody may read."""
    host.must(f"mkdir -p $(dirname {path}); cat > {path} <<'GOLIVE_END'\n{text}\nGOLIVE_END\nchmod 0644 {path}")


def restart(host: Host) -> None:
    """Start the bot anew and wait until it answers; not in the second in which the other system's root was changed."""
    host.must(f"until [ $(($(date +%s) - $(stat -c %Z {SWING}))) -ge 3 ]; do sleep 0.2; done")
    host.must("systemctl daemon-reload; systemctl restart bot-live.service; for n in $(seq 150); do "
              "curl -sf http://127.0.0.1:8000/health >/dev/null && exit 0; sleep 0.2; done; systemctl status bot-live.service; exit 1")
