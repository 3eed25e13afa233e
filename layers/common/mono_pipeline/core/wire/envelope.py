"""The envelope around every answer of Mono's: `{status, message, timestamp, data, meta}`."""

from __future__ import annotations

import re
from typing import Annotated

from msgspec import Meta, Struct

from mono_pipeline.core.errors import MonoUnintelligible
from mono_pipeline.core.wire.document import Flaw, Json, Repeated, find_flaw, read_document
from mono_pipeline.core.wire.refusal import Refusal
from mono_pipeline.core.wire.shape import Shape, shaped

_ACCOUNT_IN_PATH = re.compile(r"/([0-9a-fA-F]{24})(?=/|$)")
_END_OF_PATH = re.compile(r"[?#]")


class Envelope(Struct, frozen=True, kw_only=True):
    """An answer that calls itself successful, with its payload not yet looked at."""

    payload: Json
    meta: Json


class PageMeta(Shape, frozen=True):
    """What `meta` says about a page: `pages` in the account list, `page` in transactions (Mono contract 7.12)."""

    total: Annotated[int, Meta(ge=0, le=2**63 - 1)]
    # A server that echoes the query parameter sends it back as text.
    page: int | Annotated[str, Meta(pattern=r"\A[0-9]{1,9}\Z")] | None = None
    pages: Annotated[int, Meta(ge=0, le=2**63 - 1)] | None = None
    previous: str | None = None
    next: str | None = None


def open_envelope(body: bytes) -> Envelope:
    """The envelope that `body` holds; "successful" counts in any letter case (Mono contract 7.12).

    Raises:
        MonoUnintelligible: it is none, it says it was not successful, or something besides its payload has a flaw.
    """
    document = read_document(body)
    if isinstance(document, Repeated):
        raise MonoUnintelligible(Refusal.DUPLICATE_KEY)
    if not isinstance(document, dict) or not isinstance(document.get("status"), str) or "data" not in document:
        raise MonoUnintelligible(Refusal.NOT_AN_ENVELOPE)
    refuse_flaws({key: part for key, part in document.items() if key != "data"})
    if str(document["status"]).lower() != "successful":
        raise MonoUnintelligible(Refusal.NOT_SUCCESSFUL)
    return Envelope(payload=document["data"], meta=document.get("meta"))


def refuse_flaws(part: Json) -> None:
    """Do nothing when `part` can be stored as it is.

    Raises:
        MonoUnintelligible: `duplicate_key`, or `not_json` for numbers, text or nesting that cannot be kept.
    """
    flaw = find_flaw(part)
    if flaw is not None:
        raise MonoUnintelligible(Refusal.DUPLICATE_KEY if flaw is Flaw.DUPLICATE_KEY else Refusal.NOT_JSON)


def read_meta(meta: Json) -> PageMeta:
    """The paging facts of an answer that must have them.

    Raises:
        MonoUnintelligible: `bad_meta`.
    """
    return shaped(PageMeta, meta, otherwise=Refusal.BAD_META)


def refuse_foreign_links(meta: PageMeta, account_id: str) -> None:
    """Do nothing unless a link of `meta` names another account than `account_id` in its path.

    The links are read for this and for nothing else: they may drop our filters and may point to any host, so every URL
    is built by us (Mono contract 2.2). The documents' sample has no `/accounts` in the path, the real one has.

    Raises:
        MonoUnintelligible: `wrong_account`.
    """
    paths = [_END_OF_PATH.split(link, maxsplit=1)[0] for link in (meta.next, meta.previous) if link]
    named = {found.lower() for path in paths for found in _ACCOUNT_IN_PATH.findall(path)}
    if named - {account_id}:
        raise MonoUnintelligible(Refusal.WRONG_ACCOUNT)
