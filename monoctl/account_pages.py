"""Accounts by the page: the ops function gives a part at a time, callers get them all."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import batched
from typing import TYPE_CHECKING, Any, Final

from mono_pipeline.core.identity import parse_account_id
from monoctl.errors import Unanswered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from monoctl.reach import AsksOps

    type Row = dict[str, Any]

NAMED_AT_ONCE: Final = 25  # one request to Mono each, well within the function's time
LISTED_AT_ONCE: Final = 200


@dataclass(kw_only=True)
class Imported:
    """Mono ids by what became of them; `skipped` has a reason for each."""

    imported: list[str] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)

    def add(self, answer: Row) -> None:
        """Add what one invocation did."""
        self.imported += answer["imported"]
        self.known += answer["known"]
        self.skipped |= answer["skipped"]


def import_accounts(ops: AsksOps, account_ids: Sequence[str], watch: Callable[[Imported], None]) -> Imported:
    """Import these accounts, or all that Mono lists where none are named; `watch` sees what is done so far.

    Raises InvalidInput for an id that is none, before anything is imported.
    """
    wanted = list(dict.fromkeys(parse_account_id(each) for each in account_ids))
    done = Imported()
    for answer in _named(ops, wanted) if wanted else _listed(ops):
        done.add(answer)
        watch(done)
    return done


def all_accounts(ops: AsksOps) -> Iterator[Row]:
    """Return every account in the order of their ids, with its newest run."""
    after = ""
    while True:
        answer = ops.ask("accounts.list", after=after, limit=LISTED_AT_ONCE)
        yield from answer["accounts"]
        if answer["next"] is None:
            return
        if answer["next"] <= after:
            raise Unanswered(f"the list of accounts does not move on after {after}")
        after = answer["next"]


def _named(ops: AsksOps, wanted: list[str]) -> Iterator[Row]:
    for part in batched(wanted, NAMED_AT_ONCE, strict=False):
        yield ops.ask("accounts.import", account_ids=list(part))


def _listed(ops: AsksOps) -> Iterator[Row]:
    page = 1
    while True:
        answer = ops.ask("accounts.import", page=page)
        yield answer
        following = answer["next_page"]
        if following is None:
            return
        if following <= page:
            raise Unanswered(f"the import does not move on after page {page}")
        page = following
