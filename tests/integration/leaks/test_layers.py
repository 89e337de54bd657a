"""A secret in a layer that a later one hides, in a label, and in a container's environment: found by the real engine's own words."""
from __future__ import annotations

import subprocess
import uuid
from collections.abc import Iterator

import pytest
from golive.leaks.index import Index
from golive.leaks.places import Search

pytestmark = pytest.mark.lab
SECRET = "kQ9x7LpA+w3/ZzR1mV0nT5yB8cD2eF6gH4iJqKsU"
HIDDEN = "Zx8vN2mQ0pL4kJ6hG1fD3sA5wE7rT9yU+iO/bVcX"


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An image of two layers: the first holds a secret in a file, the second writes over it."""
    folder, name = tmp_path_factory.mktemp("image"), f"golive-test-layers:{uuid.uuid4().hex[:8]}"
    for layer, text in (("first", f"KEY={HIDDEN}\n"), ("second", "KEY=\n")):
        (folder / layer).mkdir()
        (folder / layer / "settings.env").write_text(text)
    (folder / "Dockerfile").write_text(f'FROM scratch\nCOPY first/ /\nCOPY second/ /\nLABEL key="{SECRET}"\nCMD ["none"]\n')
    subprocess.run(["docker", "build", "-q", "-t", name, str(folder)], check=True, capture_output=True)
    yield name
    subprocess.run(["docker", "rmi", "-f", name], check=False, capture_output=True)


def test_what_a_later_layer_hides_and_what_a_label_says_is_found(image: str) -> None:
    search = Search(Index.build({"hidden": HIDDEN, "label": SECRET}))
    search.image(image)
    assert search.unread == []
    assert {one.secret for one in search.found} == {"hidden", "label"}
    assert any("settings.env" in one.where for one in search.found if one.secret == "hidden")


def test_the_environment_of_a_container_is_found_and_a_clean_one_is_clean(image: str) -> None:
    command = ["docker", "create", "-e", f"API_SECRET={SECRET}", image]
    made = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    try:
        search = Search(Index.build({"environment": SECRET}))
        search.container(made)
        assert any("settings" in one.where for one in search.found)
        other = Search(Index.build({"elsewhere": SECRET[::-1].swapcase()}))
        other.container(made)
        assert (other.found, other.unread) == ([], [])
    finally:
        subprocess.run(["docker", "rm", "-f", made], check=False, capture_output=True)


def test_an_image_that_is_not_there_is_not_clean() -> None:
    search = Search(Index.build({"label": SECRET}))
    search.image("golive-no-such-image:none")
    assert search.unread != []
