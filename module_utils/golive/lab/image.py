"""What is a lab host made of, and how is its image built?

The recipe is `molecule/lab/image/`: packages installed, packages offered, an overlay of files, one script. No registry is
asked: debootstrap makes the root file system from this machine's own Debian mirror, and a pool of packages goes in with it,
so that a bare host can install what a role wants without a network. The tarball is kept in the cache under the recipe's key.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import tempfile
from pathlib import Path
from typing import Any

from .apt_sources import mirror_of_this_machine
from .cache import cache_dir, content_key, files_below, locked
from .errors import LabError
from .run import REPOSITORY, Say, as_root, run

RECIPE = REPOSITORY / "molecule" / "lab" / "image"
SUITE = "trixie"
POOL = "opt/golive-pool"
IMAGE_NAME = "golive-lab"
_BUILD_SPACE = 3 * 1024**3  # bytes: root file system, pool and tarball, with room to spare
_CHUNK = 1024**2  # bytes
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def architecture() -> str:
    """Debian's name of this machine's architecture."""
    machine = platform.machine()
    try:
        return _ARCHITECTURES[machine]
    except KeyError:
        raise LabError("the lab cannot be built on this machine", found=machine, expected="x86_64 or aarch64") from None


def image_key(recipe: Path = RECIPE) -> str:
    """Content key of the recipe, for this architecture."""
    return content_key(files_below(recipe), recipe, SUITE, architecture())


def image_tag(recipe: Path = RECIPE) -> str:
    """Name and tag of the image in the engine."""
    return f"{IMAGE_NAME}:{image_key(recipe)}"


def read_list(path: Path) -> list[str]:
    """Package names of a `.list` file: one a line, `#` begins a comment."""
    words = (line.split("#", 1)[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
    return [word for word in words if word]


def ensure_image(engine: Any, say: Say) -> str:
    """Make sure the engine has the image; returns `cached`, `imported` or `built`.

    `engine` is a docker.DockerClient. Raises LabError.
    """
    tag = image_tag()
    if engine.images.list(name=tag):
        return "cached"
    with locked("image"):
        tarball = cache_dir() / "images" / f"{IMAGE_NAME}-{image_key()}.tar"
        state = "imported"
        if not tarball.exists():
            build_tarball(tarball, say)
            state = "built"
        say("import into the engine")
        with tarball.open("rb") as handle:
            # A generator, not the file: of a file the SDK sends the length *and* says "chunked", which the engine refuses.
            chunks = iter(lambda: handle.read(_CHUNK), b"")
            engine.api.import_image_from_stream(chunks, repository=IMAGE_NAME, tag=image_key())
        _forget_old_tarballs(keep=tarball)
        if not engine.images.list(name=tag):
            raise LabError("the engine did not keep the imported image", where=str(tarball), expected=tag,
                           todo="remove that file and run `make lab` again")
    return state


def _forget_old_tarballs(keep: Path) -> None:
    """Of older recipes, only the newest tarball is kept: going back one step is common, and each takes 350 MB."""
    others = sorted((path for path in keep.parent.glob("*.tar") if path != keep), key=lambda path: path.stat().st_mtime)
    for path in others[:-1]:
        path.unlink(missing_ok=True)


def build_tarball(tarball: Path, say: Say) -> None:
    """Build the root file system and write it to `tarball` (whole or not at all). Needs root's rights and a mirror."""
    builds = cache_dir() / "build"
    builds.mkdir(exist_ok=True)
    tarball.parent.mkdir(exist_ok=True)
    free = shutil.disk_usage(builds).free
    if free < _BUILD_SPACE:
        raise LabError("not enough disk to build the lab image", where=str(builds), found=f"{free // 1024**2} MiB free",
                       expected=f"{_BUILD_SPACE // 1024**2} MiB", todo="free some, or point GOLIVE_CACHE to another disk")
    for left_over in builds.glob("image-*"):  # of a build that was killed
        run(as_root(["rm", "-rf", "--one-file-system", str(left_over)]))
    work = Path(tempfile.mkdtemp(prefix="image-", dir=builds))
    log = cache_dir() / "image.log"
    log.write_text("", encoding="utf-8")
    root, mirror = work / "root", mirror_of_this_machine()
    try:
        say(f"debootstrap {SUITE} from {mirror}")
        run(as_root(["debootstrap", "--variant=minbase", f"--arch={architecture()}",
                     f"--include={','.join(read_list(RECIPE / 'installed.list'))}", SUITE, str(root), mirror]), log=log)
        say("download the package pool")
        _fill_pool(root, log)
        say("configure")
        overlay = RECIPE / "overlay"
        for path in files_below(overlay):  # modes from us, not from the checkout's umask
            mode = "0755" if os.access(path, os.X_OK) else "0644"
            target = root / path.relative_to(overlay)
            run(as_root(["install", "-D", "-o", "root", "-g", "root", "-m", mode, str(path), str(target)]), log=log)
        run(as_root(["cp", str(RECIPE / "configure"), str(root / "configure")]), log=log)
        run(as_root(["chroot", str(root), "/configure"]), log=log)
        run(as_root(["rm", str(root / "configure")]), log=log)
        say("pack")
        part = work / "root.tar"
        with part.open("wb") as handle:
            run(as_root(["tar", "--one-file-system", "--numeric-owner", "--sort=name", "-C", str(root), "-c", "."]),
                stdout=handle)
            handle.flush()
            os.fsync(handle.fileno())
        part.replace(tarball)
    finally:
        run(as_root(["rm", "-rf", "--one-file-system", str(work)]))


def _fill_pool(root: Path, log: Path) -> None:
    """Download the packages of `pool.list` and all they need, that the root does not have, and index them.

    The machine's own apt does it, pointed at the new root: so its proxies and certificates hold.
    """
    options = [f"Dir={root}", f"Dir::State::status={root}/var/lib/dpkg/status", f"APT::Architecture={architecture()}",
               f"APT::Architectures={architecture()}", "APT::Sandbox::User=root", "Acquire::Languages=none",
               "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false", "Acquire::Retries=3"]
    archives, pool = root / "var/cache/apt/archives", root / POOL
    run(as_root(["find", str(archives), "-name", "*.deb", "-delete"]), log=log)  # debootstrap's own
    apt = as_root(["apt-get", "--quiet", "--yes", *(word for option in options for word in ("-o", option))])
    run([*apt, "update"], log=log)
    run([*apt, "--no-install-recommends", "--download-only", "install", *read_list(RECIPE / "pool.list")], log=log)
    run(as_root(["mkdir", "-p", str(pool)]), log=log)
    packages = sorted(archives.glob("*.deb"))
    run(as_root(["mv", *(str(path) for path in packages), str(pool)]), log=log)
    run(as_root(["rm", "-f", "-r", str(archives / "lock"), str(archives / "partial")]), log=log)
    index = root.parent / "Packages"
    index.write_text("\n".join(_index_entry(path) for path in sorted(pool.glob("*.deb"))), encoding="utf-8")
    run(as_root(["cp", str(index), str(pool / "Packages")]), log=log)


def _index_entry(package: Path) -> str:
    """One stanza of an apt `Packages` index: the package's own control fields, and where and what it is."""
    body = package.read_bytes()
    fields = run(["dpkg-deb", "--field", str(package)]).rstrip("\n")
    return (f"{fields}\nFilename: ./{package.name}\nSize: {len(body)}\nSHA256: {hashlib.sha256(body).hexdigest()}\n")
