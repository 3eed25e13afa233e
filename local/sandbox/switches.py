"""What nobody knows of Mono (Mono contract 8), one switch for each open question."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

type DatesCut = Literal["utc", "lagos"]
type ServingOrder = Literal["shuffled", "newest_first", "oldest_first"]


class Switches(BaseModel):
    """How this Mono behaves where the real one's behaviour is unknown; the defaults are the likelier answers.

    Attributes:
        dates_cut: The zone in which `start` and `end` cut days.
        end: Whether the day named by `end` belongs to the window.
        total: Whether `meta.total` counts what matches the filters or all rows.
        limit: `honoured`, or `capped:<n>` rows a page at most.
        next_link: Whether `meta.next` carries only the page (as captured) or the filters too.
        order: The order of rows over all pages; the captured one is `shuffled`.
        exchange: The shape of the answer of `POST /v2/accounts/auth`.
        unlinked_read: The status of reads of an unlinked account.
        realtime_window: What a second real-time call within five minutes gets: the last job's headers, or 429.
        realtime_job: Whether a job has finished when the call returns, or is `processing` until it is finished.
        realtime_seconds: How long a `processing` job runs by the sandbox's clock; None: until the control API ends it.
        realtime_body: The body of a real-time call: what is cached, or `data: null` (2024 documents).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    dates_cut: DatesCut = "utc"
    end: Literal["inclusive", "exclusive"] = "inclusive"
    total: Literal["filtered", "unfiltered"] = "filtered"
    limit: Annotated[str, Field(pattern=r"^(honoured|capped:[1-9][0-9]*)$")] = "honoured"
    next_link: Literal["bare", "filtered"] = "bare"
    order: ServingOrder = "shuffled"
    exchange: Literal["flat", "enveloped"] = "flat"
    unlinked_read: Literal[404, 400] = 404
    realtime_window: Literal["headers", "too_many_requests"] = "headers"
    realtime_job: Literal["finished", "processing"] = "finished"
    realtime_seconds: float | None = None
    realtime_body: Literal["cached", "null"] = "cached"

    def rows_a_page(self, asked: int) -> int:
        """How many rows a page holds when `asked` were asked for."""
        return asked if self.limit == "honoured" else min(asked, int(self.limit.removeprefix("capped:")))
