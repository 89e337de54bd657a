"""What the kill switch is assembled from (`python -m golive.kill_switch.build`): one subject a file, one file on the machine."""
