"""The client of the rehearsal exchange's administration: whatever its token is, a refusal is one sentence that does not hold it."""
from __future__ import annotations

from pathlib import Path

import pytest
from golive.errors import GoliveError
from golive.leaks.canaries import canaries
from golive.leaks.index import Index
from golive.leaks.places import Search
from golive.rehearsal.clients import AdminApi

CANARIES = canaries(7)


@pytest.mark.parametrize("shape", sorted(CANARIES))
def test_a_token_of_any_shape_ends_in_one_sentence_without_it(shape: str) -> None:
    with pytest.raises(GoliveError) as told:
        AdminApi("http://127.0.0.1:9", Path("/nowhere"), CANARIES[shape]).ask("GET", "keys")
    search = Search(Index.build({shape: CANARIES[shape]}))
    search.text(str(told.value).encode(), "the sentence")
    assert search.found == []
    assert told.value.__suppress_context__


@pytest.mark.parametrize("shape", ["unicode", "newlines"])
def test_a_token_that_no_header_takes_is_named_as_that(shape: str) -> None:
    with pytest.raises(GoliveError, match="cannot be sent"):
        AdminApi("http://127.0.0.1:9", Path("/nowhere"), CANARIES[shape]).ask("GET", "keys")
