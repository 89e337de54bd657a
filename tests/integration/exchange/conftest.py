from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.exchange.tls_venue import Pki, make_pki


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """A certificate authority of this test run."""
    folder: Path = tmp_path_factory.mktemp("pki")
    return make_pki(folder)
