"""Secrets of every shape go from a real store through Ansible onto a host at -vvvv: each stands in its own file and nowhere else."""
from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from golive.leaks.canaries import canaries
from golive.leaks.index import Index
from golive.leaks.places import Search
from golive.store import bring_up, client, config, wanted

from tests.integration.store.conftest import Opened, open_store, prepare

ROOT = Path(__file__).resolve().parents[3]
pytestmark = pytest.mark.timeout(900)
CANARIES = {name: value for name, value in canaries(5).items() if name != "short"}   # six characters stand in any long text by chance


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    running = prepare(tmp_path_factory.mktemp("store"))
    running.start()
    found = open_store(running)
    want = wanted.system_wants("slice", [str(running.folder / "audit.log")], [])
    config.apply(found.root(), want, wanted.differences(want, config.current(found.root(), want)))
    bring_up._identify(found.root(), "slice-controller", running.settings)
    connected = client.login(running.settings, None)
    for name, value in CANARIES.items():
        client.write_secret(connected, f"kv/slice/canary/{name}", {"value": value})
    yield found
    running.kill()


def test_every_canary_reaches_its_file_and_no_other_byte_that_the_run_wrote(opened: Opened, tmp_path: Path) -> None:
    home, out, store = tmp_path / "home", tmp_path / "out", opened.server
    for folder in (home, out, tmp_path / "tmp"):
        folder.mkdir()
    files = [{"path": str(out / name), "secret": f"vault:kv/slice/canary/{name}#value", "mode": "0600"} for name in CANARIES]
    (tmp_path / "play.yml").write_text(json.dumps([{"name": "Deliver", "hosts": "bots", "gather_facts": False, "tasks": [
        {"name": "Secrets", "managed_files": {"files": files}}]}]))
    (tmp_path / "hosts.yml").write_text(json.dumps({"all": {"children": {
        "bots": {"hosts": {"here": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}}},
        "rehearsal": {"hosts": {"here": {}}}, "production": {}}, "vars": {
        "vault_address": store.settings.address, "vault_controller_ca_file": str(store.settings.ca_file),
        "vault_controller_identity": str(store.settings.identity)}}}))
    environment = {**os.environ, "HOME": str(home), "TMPDIR": str(tmp_path / "tmp"), "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
                   "ANSIBLE_NOCOLOR": "1", "ANSIBLE_CALLBACKS_ENABLED": "ansible.posix.timer",
                   "ANSIBLE_LOCAL_TEMP": str(tmp_path / "tmp/local"),
                   "ANSIBLE_REMOTE_TEMP": str(tmp_path / "tmp/remote"), "ANSIBLE_LOG_PATH": str(tmp_path / "ansible.log")}
    search = Search(Index.build(CANARIES))
    for mode in ([], ["--check"]):
        command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(tmp_path / "hosts.yml"), str(tmp_path / "play.yml")]
        done = subprocess.run([*command, "-vvvv", "--diff", *mode], cwd=ROOT, env=environment, capture_output=True, check=False)
        assert done.returncode == 0, done.stdout.decode()[-3000:]
        search.text(done.stdout + done.stderr, f"output {mode}")
    for name, value in CANARIES.items():
        assert (out / name).read_bytes().decode() in {value, value.strip(), value.strip() + "\n"}, name
    # The searcher sees them where they belong: a hunt that finds nothing there would prove nothing elsewhere.
    there = Search(Index.build(CANARIES))
    there.tree(str(out))
    assert {place.secret for place in there.found} == set(CANARIES)
    for place in (home, tmp_path / "tmp", tmp_path / "ansible.log", tmp_path / "play.yml", tmp_path / "hosts.yml", store.folder):
        search.tree(str(place))
    search.processes()
    assert search.things > 20
    assert list(map(str, search.found)) == []
    assert [one for one in search.unread if "process" not in one] == []
