"""Set up what golive needs on this machine: tools, locked environment, Docker Engine, lab image, Vault, lab hosts, browser.

Standard library only, because nothing is there yet. Each step looks first and acts only on what is missing, so it may be
interrupted and repeated; what is expensive is kept in a cache outside the checkout ($GOLIVE_CACHE, else ~/.cache/golive).
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import importlib
import io
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "module_utils"))
from golive import uv  # noqa: E402 (standard library only; there is no environment yet)

VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / ".golive-synced"
_ENVIRONMENT_SPACE = 2 * 1024**3  # bytes: the locked environment with its bytecode
_LAST_WORDS = 6  # lines of a failed command worth showing
_BEGAN = "GOLIVE_SETUP_BEGAN"  # seconds of the machine's clock at which the set-up began
_INTERRUPTED = 130

# Debian package -> what shows that it is there: programs on PATH, or absolute paths.
PACKAGES: dict[str, tuple[str, ...]] = {
    "ca-certificates": ("/etc/ssl/certs/ca-certificates.crt",),
    "debian-archive-keyring": ("/usr/share/keyrings/debian-archive-keyring.gpg",),
    "debootstrap": ("debootstrap",),
    "git": ("git",),
    "gpgv": ("gpgv",),
    "iproute2": ("ip",),
    "make": ("make",),
    "openssh-client": ("ssh", "ssh-keygen"),
}
# Opens the engine's socket to a user who is not root, without taking it from anybody else.
SUDO_PACKAGES: dict[str, tuple[str, ...]] = {"acl": ("setfacl",)}


class SetupError(Exception):
    """A step cannot be done; the text is one sentence that says what to do."""


class Progress:
    """One line per step, with the seconds since the start; a long step tells its parts on indented lines."""

    def __init__(self) -> None:
        # A clock of the machine, not of the process: what a process handed over goes on counting from its start.
        self.began = float(os.environ.get(_BEGAN) or time.monotonic())
        self._title = ""
        self._open = False
        self._out = sys.stdout

    def _stamp(self) -> str:
        return f"[{time.monotonic() - self.began:6.1f}s]"

    def begin(self, title: str) -> None:
        self._title, self._open = title, True
        print(f"{self._stamp()} {title} … ", end="", flush=True, file=self._out)

    def part(self, text: str) -> None:
        self._break()
        print(f"{self._stamp()}   {text}", flush=True, file=self._out)

    def end(self, state: str) -> None:
        print(f"ok ({state})" if self._open else f"{self._stamp()} {self._title} … ok ({state})", flush=True, file=self._out)
        self._open = False

    def fail(self) -> None:
        print("failed" if self._open else f"{self._stamp()} {self._title} … failed", flush=True, file=self._out)
        self._open = False

    def _break(self) -> None:
        if self._open:
            print(flush=True, file=self._out)
            self._open = False


Step = Callable[[Progress], str]
"""Makes sure of one thing; returns in a few words what was done."""


def system_path() -> str:
    """PATH with the folders of system programs, which an ordinary Debian user does not have on it."""
    return os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"])


def run(argv: Sequence[str], env: Mapping[str, str] | None = None, todo: str = "") -> str:
    """Run a fixed argument list; its output. SetupError with its last words and `todo` if it fails."""
    try:
        done = subprocess.run(argv, check=False, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              env={**os.environ, **(env or {})})
    except FileNotFoundError as error:
        raise SetupError(f"`{argv[0]}` is not installed; {todo or 'install it and run again'}") from error
    text = done.stdout.decode(errors="replace")
    if done.returncode != 0:
        last = " | ".join(line.strip() for line in text.strip().splitlines()[-_LAST_WORDS:])
        raise SetupError(f"`{' '.join(argv[:4])} …` ended with exit code {done.returncode}, found: {last or 'no output'}"
                         + (f"; {todo}" if todo else ""))
    return text


def as_root(argv: Sequence[str]) -> list[str]:
    """The command with root's rights."""
    if os.geteuid() == 0:
        return list(argv)
    if shutil.which("sudo") is None:
        raise SetupError(f"root's rights are needed for `{argv[0]}`, and there is no sudo; run as root or install sudo")
    return ["sudo", *argv]


def apt_install(packages: Sequence[str], progress: Progress) -> None:
    """Install Debian packages. SetupError without apt-get, root's rights or a mirror."""
    if shutil.which("apt-get") is None:
        raise SetupError(f"missing: {', '.join(packages)}; this machine has no apt-get, install them and run again")
    apt = as_root(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "--quiet", "--yes", "-o", "DPkg::Lock::Timeout=120"])
    progress.part("apt-get update")
    run([*apt, "update"], todo="check the network and the apt sources")
    progress.part(f"apt-get install {' '.join(packages)}")
    run([*apt, "--no-install-recommends", "install", *packages], todo="check the network and the apt sources")


# -- steps ---------------------------------------------------------------------------------------------------------------


def system(progress: Progress) -> str:
    """Debian packages."""
    missing = missing_packages(PACKAGES | (SUDO_PACKAGES if os.geteuid() != 0 else {}))
    if not _can_make_venv():
        missing.append("python3-venv")
    if not missing:
        return "nothing missing"
    apt_install(missing, progress)
    return "installed " + ", ".join(missing)


def missing_packages(packages: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Those packages of which a program or file is not there."""
    def there(what: str) -> bool:
        return Path(what).exists() if what.startswith("/") else shutil.which(what) is not None
    return [package for package, shown_by in packages.items() if not all(there(what) for what in shown_by)]


def _can_make_venv() -> bool:
    """Debian splits `ensurepip` off Python; without it a virtual environment has no pip."""
    return PYTHON.exists() or subprocess.run([sys.executable, "-c", "import ensurepip"], check=False, capture_output=True).returncode == 0


def environment(progress: Progress) -> str:
    """uv, and the locked environment in .venv."""
    wanted = environment_key()
    if STAMP.exists() and STAMP.read_text(encoding="ascii") == wanted and _python_works():
        return "unchanged"
    free = shutil.disk_usage(ROOT).free
    if free < _ENVIRONMENT_SPACE:
        raise SetupError(f"not enough disk for the environment in {VENV}: {free // 1024**2} MiB free, "
                         f"{_ENVIRONMENT_SPACE // 1024**2} MiB wanted; free some")
    program = _uv(progress)
    progress.part("uv sync: the locked environment")
    STAMP.unlink(missing_ok=True)
    python = [] if _python_works() else ["--python", sys.executable]
    run([program, "sync", "--project", str(ROOT), "--frozen", "--all-extras", "--quiet", *python],
        env=uv.certificate_environment(os.environ),
        todo="check the network (behind a proxy: set https_proxy; behind a company's certificate: set SSL_CERT_FILE)")
    STAMP.write_text(wanted, encoding="ascii")
    return "synchronised"


def environment_key() -> str:
    """Digest of everything that decides what is in .venv."""
    digest = hashlib.sha256()
    for name in ("uv.lock", "pyproject.toml"):
        digest.update((ROOT / name).read_bytes() + b"\0")
    return digest.hexdigest()


def _python_works() -> bool:
    """False for no environment, and for one whose Python was removed or which was copied from elsewhere."""
    try:
        return subprocess.run([PYTHON, "-c", "pass"], check=False, capture_output=True).returncode == 0
    except OSError:
        return False


def _uv(progress: Progress) -> str:
    """A uv that is new enough for the lock file: the machine's, else our own in the cache."""
    found = uv.find(ROOT)
    if found:
        return found
    wanted, folder = f"uv{uv.required(ROOT)}", uv.own_folder()
    progress.part(f"pip install {wanted}")
    base = getattr(sys, "_base_executable", sys.executable)
    run([base, "-m", "venv", "--clear", str(folder)], todo="install python3-venv")
    run([str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", wanted], todo="check the network and pip's configuration")
    return str(folder / "bin" / "uv")


def _golive(module: str, *words: str) -> Step:
    """A step that `python -m golive.…` does: its lines with a time are the parts, its last other line is state or error."""
    def step(progress: Progress) -> str:
        if Path(sys.prefix) != VENV:
            raise SetupError("the environment is not there yet; run `scripts/setup env` first")
        told = _Told(progress)
        with contextlib.chdir(ROOT), contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
            # In this process: the Docker client and Ansible take half a second each to import, and four steps ask for them.
            code = importlib.import_module(module).main(words)
        if code == _INTERRUPTED:
            raise KeyboardInterrupt
        if code != 0:
            raise SetupError(told.last.removeprefix("lab: ") or f"`python -m {module} {' '.join(words)}` ended with exit code {code}")
        return told.last
    return step


class _Told(io.TextIOWrapper):
    """What a step of golive prints. A wrapper of bytes, which stay empty, because Ansible wants its output to be one."""

    def __init__(self, progress: Progress) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8")
        self._progress, self._line, self.last = progress, "", ""

    def write(self, text: str) -> int:
        *lines, self._line = (self._line + text).split("\n")
        for line in lines:
            if line.startswith("["):
                self._progress.part(line.split("] ", 1)[-1])
            else:
                self.last = line.strip() or self.last
        return len(text)


def _system() -> str:
    """The system whose lab this is: the folder of the inventory."""
    return Path(os.environ.get("GOLIVE_INVENTORY") or "inventories/kraken-micro/lab.yml").parent.name


def browser(progress: Progress) -> str:
    """Chromium for the tests of the report: the machine's, else Debian's package, else Playwright's own build."""
    if shutil.which("chromium"):
        return "already there"
    try:
        apt_install(["chromium", "fonts-dejavu-core"], progress)
    except SetupError as error:
        progress.part(str(error))
    if shutil.which("chromium"):
        return "installed"
    progress.part("playwright install chromium")
    run([str(PYTHON), "-m", "playwright", "install", "chromium"], env=uv.certificate_environment(os.environ),
        todo="install the package chromium by hand")
    return "installed by Playwright"


def databases(progress: Progress) -> str:
    """PostgreSQL's server, for the tests of the store's database engine; none of the tests uses a cluster that is there already."""
    def there() -> bool:
        return any(Path("/usr/lib/postgresql").glob("*/bin/initdb"))

    if there():
        return "already there"
    apt_install(["postgresql", "postgresql-client"], progress)
    if not there():
        raise SetupError("PostgreSQL's server was installed and is not below /usr/lib/postgresql; install the package postgresql by hand")
    return "installed"


STEPS: dict[str, tuple[str, Step]] = {
    "system": ("system packages", system),
    "env": ("environment", environment),
    "engine": ("Docker Engine", _golive("golive.lab.__main__", "engine")),
    "image": ("lab image", _golive("golive.lab.__main__", "image")),
    "vault": ("Vault binary", _golive("golive.lab.__main__", "vault")),
    "lab": ("lab hosts", _golive("golive.lab.__main__", "up")),
    "people": ("people of the rehearsal", _golive("golive.rehearsal_signers", _system())),
    "browser": ("browser", browser),
    "databases": ("PostgreSQL for tests", databases),
}


FOR_TESTS = {"browser", "databases"}
#: what the environment's own Python does
OF_GOLIVE = {"engine", "image", "vault", "lab", "people"}


def main(argv: Sequence[str]) -> int:
    """Run the named steps (default: all but browser and databases) in their fixed order; 0 done, 1 not, 130 interrupted."""
    listing = "\n".join(f"  {name:8} {title}" for name, (title, _) in STEPS.items())
    parser = argparse.ArgumentParser(prog="scripts/setup", description=f"{__doc__}\nsteps:\n{listing}",
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("steps", nargs="*", metavar="STEP", help="steps to run (default: all but browser and databases)")
    asked = parser.parse_args(argv).steps or [name for name in STEPS if name not in FOR_TESTS]
    unknown = [name for name in asked if name not in STEPS]
    if unknown:
        parser.error(f"no step {', '.join(unknown)}; there are {', '.join(STEPS)}")
    os.environ["PATH"] = system_path()
    progress = Progress()
    todo = [name for name in STEPS if name in asked]
    for number, name in enumerate(todo):
        title, step = STEPS[name]
        if name in OF_GOLIVE and Path(sys.prefix) != VENV and _BEGAN not in os.environ and _python_works():
            os.execve(PYTHON, [str(PYTHON), __file__, *todo[number:]], {**os.environ, _BEGAN: str(progress.began)})  # noqa: S606 (a fixed program of the checkout)
        progress.begin(title)
        try:
            progress.end(step(progress))
        except SetupError as error:
            progress.fail()
            print(f"setup: {error}", file=sys.stderr)
            return 1
        except OSError as error:
            progress.fail()
            print(f"setup: {error.filename or title}: {error.strerror}; put this right and run again", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            progress.fail()
            print("setup: interrupted; run the same command again to go on", file=sys.stderr)
            return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
