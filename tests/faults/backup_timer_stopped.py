"""No backup was taken for two days."""
from __future__ import annotations

from .harness.host_breaks import on_host

# Only an old set is left in the folder, as if the timer had stopped then; the newer ones wait beside it.
AGE = """
systemctl stop golive-backup.timer golive-backup.path 2>/dev/null || systemctl stop golive-backup.timer
cd /var/backups; mv bot bot.kept; mkdir bot; n=$(ls bot.kept | grep manifest | tail -1); b=${n%.manifest.json}
o=config-20200101T000000Z; cp -p bot.kept/$b.tar.gz.age bot/$o.tar.gz.age
sed -e "s/$b/$o/" -e 's/"at": "[^"]*"/"at": "2020-01-01T00:00:00Z"/' bot.kept/$n > bot/$o.manifest.json
"""
HEAL = """
cd /var/backups; rm -rf bot; mv bot.kept bot; systemctl start golive-backup.timer; systemctl start golive-backup.path 2>/dev/null || true
"""
TRIALS = (
    on_host("bot", "clock", AGE, "ls /var/backups/bot | tail -1", "20200101", HEAL, "backup.config"),
)
