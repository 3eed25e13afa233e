"""Mono's ids as they may reach SQL, a URL or a log line."""

from __future__ import annotations

import hashlib
import re

from mono_pipeline.core.errors import InvalidInput

# Mono's ids are MongoDB ObjectIds in lower case (Mono contract 2.2). Upper case is refused and not folded: two
# spellings of one account would be two keys in every table, queue and metric.
_OBJECT_ID = re.compile(r"[0-9a-f]{24}")
# Job ids look the same in the documents, but arrive in a header and nothing promises their form; what is asked here is
# that one cannot change the path it is put into.
_JOB_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def parse_account_id(text: str) -> str:
    """`text` itself when it is the form of a Mono account id: 24 lower-case hexadecimal digits.

    Raises:
        InvalidInput: it is not; the message does not repeat the text.
    """
    if _OBJECT_ID.fullmatch(text) is None:
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


def message_group(customer_id: str | None, account_id: str) -> str:
    """Under what a queue keeps the messages of a customer's accounts together; an account without one is by itself.

    It is Mono's id of the customer where that has the form of one. Nothing promises it, and SQS takes at most 128 ASCII
    letters, digits and marks: what is no id is told by its digest, so that no account's message is refused for it, and
    no text of Mono's is in a message's attributes.
    """
    if not customer_id:
        return account_id
    if _OBJECT_ID.fullmatch(customer_id):
        return customer_id
    return hashlib.sha256(customer_id.encode("utf-8", "surrogatepass")).hexdigest()
