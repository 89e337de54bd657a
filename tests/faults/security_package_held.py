"""A security update is there and its package is held back."""
from __future__ import annotations

from .harness.host_breaks import on_host

# A package of our own in two versions: the old one installed and held, the new one offered by a security suite.
BREAK = """
d=/var/tmp/golive-fault-apt; rm -rf $d; mkdir -p $d
for v in 1 2; do
  mkdir -p $d/p$v/DEBIAN
  printf 'Package: golive-held\\nVersion: %s\\nArchitecture: all\\nMaintainer: f\\nDescription: f\\n' $v > $d/p$v/DEBIAN/control
  dpkg-deb -Zgzip --build $d/p$v $d/golive-held_$v.deb >/dev/null
done
dpkg -i $d/golive-held_1.deb >/dev/null
cd $d; s=$(stat -c %s golive-held_2.deb); h=$(sha256sum golive-held_2.deb | cut -d' ' -f1)
(cat p2/DEBIAN/control; printf 'Filename: ./golive-held_2.deb\\nSize: %s\\nSHA256: %s\\n' $s $h) > Packages
echo "deb [trusted=yes] file:$d ./" > /etc/apt/sources.list.d/golive-fault.list
only="-o Dir::Etc::sourcelist=sources.list.d/golive-fault.list -o Dir::Etc::sourceparts=- -o APT::Get::List-Cleanup=0"
apt-get update -qq $only >/dev/null 2>&1
apt-mark hold golive-held >/dev/null
"""
HEAL = """
apt-mark unhold golive-held; dpkg -P golive-held; rm -f /etc/apt/sources.list.d/golive-fault.list /var/lib/apt/lists/*golive-fault-apt*
rm -rf /var/tmp/golive-fault-apt
"""
TRIALS = (
    on_host("bot", "file", BREAK, "apt-mark showhold", "golive-held", HEAL, "host.security_updates"),
)
