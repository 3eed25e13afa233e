"""What is no id of Mono's reaches neither SQL nor a URL."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mono_pipeline.core.errors import InvalidInput
from mono_pipeline.core.identity import parse_account_id, parse_job_id

ACCOUNT = "686265c6c41fad92985e806c"


@given(st.text("0123456789abcdef", min_size=24, max_size=24))
def test_24_lower_case_hexadecimal_digits_are_an_account_id(text: str) -> None:
    """The id comes back as it went in."""
    assert parse_account_id(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        ACCOUNT[:-1],
        ACCOUNT + "0",
        ACCOUNT.upper(),
        ACCOUNT[:-1] + "g",
        ACCOUNT + "\n",
        " " + ACCOUNT[1:],
        ACCOUNT[:-1] + "\N{ARABIC-INDIC DIGIT ONE}",
        ACCOUNT[:-1] + "\N{FULLWIDTH DIGIT ONE}",
        ACCOUNT[:-1] + "\0",
        "../../accounts/initiate00",
        "686265c6c41fad92985e80/..",
        "686265c6c41fad92985e%2f0",
        "' OR 1=1; --             ",
    ],
)
def test_anything_else_is_refused_without_being_repeated(text: str) -> None:
    """The message names the field and not the text, which may be made for a log."""
    with pytest.raises(InvalidInput) as refused:
        parse_account_id(text)
    assert refused.value.field == "account_id"
    assert not text or text not in str(refused.value)


@pytest.mark.parametrize("text", ["66f3d5c1a2b3c4d5e6f70819", "A", "job_1-2", "x" * 64])
def test_a_plain_word_may_be_a_job_id(text: str) -> None:
    """Nothing promises the form of job ids."""
    assert parse_job_id(text) == text


@pytest.mark.parametrize("text", ["", "x" * 65, "a/b", "..", "a.b", "a%2fb", "a?b", "a b", "a\r\nHost: evil", "é"])
def test_a_job_id_cannot_change_a_path(text: str) -> None:
    """It arrives in a header of the other side's."""
    with pytest.raises(InvalidInput) as refused:
        parse_job_id(text)
    assert refused.value.field == "job_id"
