"""Why an answer of Mono's is refused whole."""

from __future__ import annotations

from enum import StrEnum


class Refusal(StrEnum):
    """The closed list of reasons that a `MonoUnintelligible` carries."""

    NOT_JSON = "not_json"  # truncated, HTML, empty, with a BOM, not UTF-8, too deep, or not sent as JSON
    UNDECODABLE = "undecodable"  # a content encoding that we did not ask for, or broken compression
    TOO_LARGE = "too_large"  # more bytes, or more values, than any honest answer has
    UNEXPECTED_STATUS = "unexpected_status"  # 204, 206 and other statuses that carry no whole answer
    NOT_AN_ENVELOPE = "not_an_envelope"  # JSON, but not {status, data, ...}
    NOT_SUCCESSFUL = "not_successful"  # HTTP 200 around a status other than "successful"
    DUPLICATE_KEY = "duplicate_key"  # a key twice outside the rows: which value counts is anybody's guess
    BAD_META = "bad_meta"  # paging facts are missing, of the wrong type, or those of another page
    TOO_MANY_ROWS = "too_many_rows"  # more rows than we ever ask for
    WRONG_ACCOUNT = "wrong_account"  # the answer names an account that we did not ask about
    BAD_ACCOUNT = "bad_account"  # an account without its id, or with a field of the wrong type
    BAD_JOB = "bad_job"  # a job without its id or status
    BAD_LINK = "bad_link"  # a re-authorisation answer without an https link


REFUSALS = frozenset(Refusal)
