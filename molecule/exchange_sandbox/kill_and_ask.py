"""Opens an account, kills the service with SIGKILL, waits until systemd has started it again, and asks for the account."""

import json
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

TOKEN = Path("/etc/exchange-sandbox/token").read_text().strip()
CONTEXT = ssl.create_default_context(cafile="/usr/local/share/ca-certificates/golive-lab.crt")
CONTEXT.check_hostname = False


def ask(method, path, data=None):
    request = urllib.request.Request(
        "https://127.0.0.1:9443/sandbox/v1/" + path,
        None if data is None else json.dumps(data).encode(),
        {"Authorization": "Bearer " + TOKEN},
        method=method,
    )
    with urllib.request.urlopen(request, timeout=30, context=CONTEXT) as answer:
        return json.load(answer)


name = "molecule-%d" % time.time()
ask("POST", "accounts", {"name": name, "venue": "binance", "balances": {"USDT": "7", "um:USDT": "8"}})
subprocess.run(["systemctl", "kill", "--signal=SIGKILL", "exchange-sandbox.service"], check=True)
end = time.monotonic() + 90
while True:
    try:
        found = ask("GET", "state/" + name)
        break
    except OSError as error:
        if isinstance(error, urllib.error.HTTPError) or time.monotonic() > end:
            raise
        time.sleep(0.5)
assert found["balances"] == {"USDT": "7", "um:USDT": "8"}, found
