"""The quick reader of forms says what the general one says."""

from __future__ import annotations

from urllib.parse import parse_qsl

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exchange_sandbox.venues.form import MOST_FIELDS, pairs

TEXT = st.text(st.sampled_from("ab=&%+2 ü;"), max_size=24)


@given(TEXT, st.booleans())
@example("a=1&&b=2", True)
@example("a=1&&b=2", False)
@example("a&b=%41+c", False)
def test_it_reads_what_the_general_parser_reads(text: str, strict: bool) -> None:
    try:
        wanted = parse_qsl(text, keep_blank_values=True, strict_parsing=strict and bool(text), max_num_fields=MOST_FIELDS)
    except ValueError:
        with pytest.raises(ValueError):
            pairs(text, strict)
    else:
        assert pairs(text, strict) == wanted


@pytest.mark.parametrize("strict", [True, False])
def test_too_many_fields_are_refused(strict: bool) -> None:
    assert len(pairs("&".join(["a=1"] * MOST_FIELDS), strict)) == MOST_FIELDS
    with pytest.raises(ValueError):
        pairs("&".join(["a=1"] * (MOST_FIELDS + 1)), strict)
