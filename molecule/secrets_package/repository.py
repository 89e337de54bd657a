"""Make a package of the lab's Vault and the index of a repository that holds nothing else, in the folder that is named. Repeatable."""
from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from golive.lab.vault_binary import vault_folder

VERSION = "1.19.0-1"
CONTROL = f"""Package: vault
Version: {VERSION}
Architecture: amd64
Maintainer: golive lab <lab@golive.invalid>
Description: the lab's Vault, as its vendor packages it
"""


def main(folder: Path) -> None:
    """Write `vault.deb` and `Packages`; print `changed` when they were not there."""
    if (folder / "Packages").is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as place:
        root = Path(place) / "root"
        (root / "DEBIAN").mkdir(parents=True)
        (root / "usr/bin").mkdir(parents=True)
        (root / "DEBIAN/control").write_text(CONTROL)
        shutil.copy(vault_folder() / "vault", root / "usr/bin/vault")
        root.chmod(0o755)
        subprocess.run(["dpkg-deb", "--root-owner-group", "-Znone", "--build", str(root), str(folder / "vault.deb")], check=True,
                       capture_output=True)
    with (folder / "vault.deb").open("rb") as handle:
        digest = hashlib.file_digest(handle, "sha256").hexdigest()
    size = (folder / "vault.deb").stat().st_size
    (folder / "Packages").write_text(f"{CONTROL}Filename: ./vault.deb\nSize: {size}\nSHA256: {digest}\n")
    print("changed")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
