"""What is no id of Mono's reaches neither SQL nor a URL."""

from __future__ import annotations

import hashlib
import re
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mono_pipeline.core.errors import InvalidInput
from mono_pipeline.core.identity import message_group, parse_account_id, parse_job_id

ACCOUNT = "686265c6c41fad92985e806c"
CUSTOMER = "686265c6c41fad92985e806a"
# what SQS takes as a MessageGroupId
TAKEN: Final = re.compile(r"[!-~]{1,128}")


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


def test_a_customer_s_accounts_are_one_group_and_an_account_of_nobody_is_one_by_itself() -> None:
    """By Mono's id of the customer as it is."""
    assert message_group(CUSTOMER, ACCOUNT) == CUSTOMER
    assert [message_group(nobody, ACCOUNT) for nobody in (None, "")] == [ACCOUNT] * 2


@pytest.mark.parametrize(
    "text",
    ["Samuel Olamide", "0131883461", CUSTOMER + "0", CUSTOMER + "\n", CUSTOMER.upper(), "x" * 129, "é", "\ud800"],
)
def test_a_customer_s_id_of_another_form_is_a_group_by_its_digest(text: str) -> None:
    """The same one each time, of which nothing can be read, and which SQS takes."""
    group = message_group(text, ACCOUNT)

    assert group == hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    assert TAKEN.fullmatch(group)


@given(st.text())
def test_whatever_mono_calls_a_customer_sqs_takes_the_message(text: str) -> None:
    """Its rule: 1 to 128 ASCII letters, digits and marks."""
    assert TAKEN.fullmatch(message_group(text, ACCOUNT))
