"""The lab: containers that stand in for real hosts (systemd, sshd, nftables), made from an inventory file.

Controller only. `python -m golive.lab --help` is the way in; `docs/how-to/lab.md` explains it.
"""
