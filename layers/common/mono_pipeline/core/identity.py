"""Mono's ids as they may reach SQL, a URL or a log line."""

from __future__ import annotations

import re

from mono_pipeline.core.errors import InvalidInput

# Mono's ids are MongoDB ObjectIds in lower case (Mono contract 2.2). Upper case is refused and not folded: two
# spellings of one account would be two keys in every table, queue and metric.
_ACCOUNT_ID = re.compile(r"[0-9a-f]{24}")
# Job ids look the same in the documents, but arrive in a header and nothing promises their form; what is asked here is
# that one cannot change the path it is put into.
_JOB_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def parse_account_id(text: str) -> str:
    """`text` itself when it is the form of a Mono account id: 24 lower-case hexadecimal digits.

    Raises:
        InvalidInput: it is not; the message does not repeat the text.
    """
    if _ACCOUNT_ID.fullmatch(text) is None:
        raise InvalidInput("account_id", "must be 24 lower-case hexadecimal digits")
    return text


def parse_job_id(text: str) -> str:
    """`text` itself when it may stand as one segment of a URL's path.

    Raises:
        InvalidInput: it may not; the message does not repeat the text.
    """
    if _JOB_ID.fullmatch(text) is None:
        raise InvalidInput("job_id", "must be 1 to 64 letters, digits, '_' or '-'")
    return text
