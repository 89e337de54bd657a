"""Stands in for the scheduled run: opens and closes a drift run as the file `wanted` says: `EXIT [open|close|real]`."""
import json
import os
import sys
import time

with open("wanted", encoding="utf-8") as wanted:
    code, how = wanted.read().split()
now = time.gmtime()
run = time.strftime("%Y%m%dT%H%M%SZ", now) + "-" + os.urandom(3).hex()
if how != "none":
    folder = os.path.join("reports", "stub", run)
    os.makedirs(folder)
    info = {"run": run, "mode": "real" if how == "real" else "drift", "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", now)}
    for name, value in (("run.json", info), ("report.json", {}), ("finished.json", {"exit": int(code), "result": "stub"})):
        if name != "finished.json" or how != "open":
            with open(os.path.join(folder, name), "w", encoding="utf-8") as out:
                json.dump(value, out)
sys.exit(int(code))
