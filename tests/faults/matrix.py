"""The fault matrix: what is done to the pipeline, and what must come of it. Each row has a test that carries its id."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True)
class FaultRow:
    """One row: P is PostgreSQL, H Mono over HTTP, W the webhook's door, L Lambda and its queues.

    `not_applicable` is the reason why it has no test.
    """

    id: str
    fault: str
    expected: str
    not_applicable: str | None = None


def _row(row: str, fault: str, expected: str, not_applicable: str | None = None) -> FaultRow:
    return FaultRow(id=row, fault=fault, expected=expected, not_applicable=not_applicable)


# Of every row besides: nothing is half written, the invariants hold, and when the fault is over two ticks at the most
# bring the tables to the bank's truth, where one more reading writes nothing.
MATRIX: Final = (
    _row("P01", "backend terminated before COMMIT", "that flush rolls back, earlier ones stay, the redelivery ends it"),
    _row(
        "P02",
        "COMMIT done, its reply lost",
        "an outage for the worker; the retry finds the rows: 0 doubles, 0 versions",
    ),
    _row("P03", "kill -9 of a backend", "every session is cut; an outage, then all is well within two ticks"),
    _row("P04", "immediate shutdown in the middle of a run", "what was committed is there after the restart"),
    _row("P05", "server not there", "no call to Mono without a database; the message goes back to its queue"),
    _row(
        "P06", "statement too slow: timeout, frozen backend", "ends by the connection's own limit, nothing half written"
    ),
    _row("P07", "lock wait (55P03)", "an outage within the lock timeout, no busy loop"),
    _row("P08", "deadlock (40P01)", "none among ourselves; a forced one takes the whole transaction back"),
    _row("P09", "serialization failure (40001)", "the whole transaction is taken back and delivered again"),
    _row("P10", "idle-in-transaction timeout (25P03)", "no HTTP inside a transaction, so it never strikes"),
    _row("P11", "disk full (53100)", "clean rollback, the watermark stays, goes on once there is room"),
    _row("P12", "too many connections (53300)", "an outage, no call to Mono; one connection a worker"),
    _row("P13", "wrong password, role revoked", "fails without a loop; words of ours, not the server's, to callers"),
    _row("P14", "read-only after a failover (25006)", "an outage and a new connection, never a silent success"),
    _row("P15", "NUL, lone surrogate, \\u0000 in a row", "that row is quarantined, the others of its page land"),
    _row("P16", "amounts beyond bigint, numeric 10^40", "quarantined with their reason"),
    _row("P17", "one id twice in one page", "never two rows; contradicting ones: neither, until the bank is clear"),
    _row("P18", "old code on the new schema", "the code before the newest migration passes its own tests"),
    _row("P19", "migration killed, run twice, run at once", "all or nothing, each file once, and a sync works"),
    _row("P20", "no TLS, wrong CA, wrong host name", "refused in all three; the right server is used"),
    _row("P21", "the database's clock jumps", "leases by that clock alone; no negative durations"),
    _row("P22", "connection gone stale while frozen", "replaced unnoticed, the work is done once"),
    _row("H01", "429 with any Retry-After", "all wait: no call before its end, 15 min at most"),
    _row("H02", "500, 502, 503, 504", "five attempts at a page at most, none skipped, then later"),
    _row("H03", "401, 403: the key is refused", "the whole provider stops after one probe"),
    _row("H04", "404, unlinked", "this account waits, nothing is deleted, no failure for the queue"),
    _row("H05", "slow-loris", "each attempt ends by its total deadline"),
    _row("H06", "no answer, RST, no such host, bad TLS", "later; an untrusted certificate is not tried again"),
    _row("H07", "truncated JSON, wrong Content-Length", "the page is refused whole"),
    _row("H08", "HTML, nothing, null, [], BOM, bad UTF-8", "refused, nothing written, an upstream error counted"),
    _row("H09", "JSON under another content type", "refused"),
    _row("H10", "gzip bomb, huge body, deep, long integers", "refused in at most 64 MB"),
    _row("H11", "amounts that are none", "quarantined, never rounded"),
    _row("H12", "a key twice", "refused in the envelope, quarantined in a row"),
    _row("H13", "ids missing, empty, long, of another type", "quarantined; ids that differ in case are two"),
    _row("H14", "dates that are none, 1970, far ahead", "quarantined; the watermark is never beyond today"),
    _row("H15", "page 2 is page 1 again", "drift: read again, no doubles"),
    _row("H16", "rows inserted while paging", "drift: read again until the set stands still"),
    _row("H17", "rows removed while paging", "drift: read again; after three more passes the watermark stays"),
    _row("H18", "order changes between pages", "the same final set"),
    _row("H19", "next in a circle, pages without end", "a bounded number of requests, the watermark stays"),
    _row("H20", "next to another host", "0 bytes to any other address, whatever its form"),
    _row("H21", "redirect to another host", "not followed, an error"),
    _row("H22", "DNS rebinding to a private address", "0 bytes to it, an error"),
    _row("H23", "another account's answer", "refused whole, an alarm, no second look at once"),
    _row("H24", "meta.total is not the number of rows", "the pass is not complete, the watermark stays"),
    _row("H25", "an empty 200 for an account with history", "an anomaly; nothing disappears"),
    _row("H26", "the account's data are not ready", "no complete observation; asked again later"),
    _row("H27", "a row changes, and back", "versions 1, 2, 3"),
    _row("H28", "a row goes, and comes back", "gone by two independent passes; restored as a new version"),
    _row("H29", "every id new after re-authorisation", "suspicions, not doubles: the canonical sum stands"),
    _row("H30", "emoji, RTL, ANSI, _aws, SQL, 1 MB", "stored as they came; no log line or metric forged"),
    _row("H31", "unknown fields, missing optional ones", "kept, nothing lost"),
    _row("H32", "Date header a day off", "no influence"),
    _row("H33", "pipelined garbage, 100, 204, 206, 304", "errors; none is an empty page"),
    _row("H34", "one request answered in two ways", "the next pass repairs it; never an older row over a newer"),
    _row("W01", "right secret, current or previous", "200 once SQS has the event, else 503 within 2 s"),
    _row("W02", "secret missing, wrong, mangled, 1 MB", "401 in one wording, nothing done"),
    _row("W03", "header in any case, REST and HTTP API; twice", "any case; two values are none: 401"),
    _row("W04", "secret in query, body, path or cookie", "401"),
    _row("W05", "configured secret unset, empty, short, in clear", "503 whatever is presented, an error counted"),
    _row("W06", "base64: right, invalid, wrong flag", "decoded bytes count; else 400, after the secret"),
    _row("W07", "body missing, 20 kB + 1, 10 MB, no JSON, deep", "413 before anything; 400 after the secret"),
    _row("W08", "unknown event, another app, unknown account", "200, counted; the answer tells nothing"),
    _row("W09", "other methods, spellings of the path", "no route, the function is not invoked"),
    _row("W10", "one event 1,000 times at once", "200 each, two syncs at most"),
    _row("W11", "events late, repeated, in any order", "the same final state"),
    _row("W12", "flood with wrong secrets; SSM down; rotation", "secret asked for once a minute; short log"),
    _row("W13", "an event during a running sync", "another run follows and has what changed"),
    _row("W14", "forged headers, content types, gzip", "no effect"),
    _row(
        "W15",
        "signed mode: tampered, old, future, replayed",
        "401; a replay is a duplicate; never by the caller's choice",
    ),
    _row("W16", "timing", "two comparisons of 32 bytes for two secrets, whatever came"),
    _row("L01", "time is up at any page", "ends with 10 s left, at a page's end, the rest in one message"),
    _row("L02", "SIGKILL at any external call", "the next one ends as if nothing had been"),
    _row("L03", "out of memory", "the message comes back, nothing half written"),
    _row("L04", "one invocation, or ten of everything", "the later ones change nothing"),
    _row("L05", "one invocation 50 times at once", "one works, the others are answered within a second"),
    _row(
        "L06", "redelivered while the first still runs", "one effect: the second stands down, or the first is refused"
    ),
    _row("L07", "a batch with bad records in any place", "exactly those come back; poison is kept and its batch done"),
    _row("L08", "no worker can finish a message", "a dead letter with its context; other accounts go on"),
    _row("L09", "replay: killed anywhere, again, in vain, down", "nothing doubled; given up and kept after three"),
    _row("L10", "SQS refuses, throttles, hangs at the webhook", "503 within 2 s; nothing says that it was accepted"),
    _row("L11", "SQS takes half of the tick's batch", "the rest is sent by the next ticks, one run an account"),
    _row("L12", "messages too long for SQS", "ids only: 2 kB at the most"),
    _row(
        "L13", "SSM down, slow, throttled, empty, nonsense", "flag off, no entry (503), within 2 s; last flag for 300 s"
    ),
    _row("L14", "secret rotated during traffic", "0 refused in the overlap; the old one refused in the end"),
    _row("L15", "schedule twice, late by 6 h, never for a day", "one message an account and tick; all caught up"),
    _row("L16", "summer time, time zones", "a rate without a zone; due when it is due in any session's zone"),
    _row("L17", "worker's clock an hour off, jumping back", "leases, watermark, deduplication by the database's clock"),
    _row("L18", "200 pages, one an invocation", "completes; no chain of messages longer than 8"),
    _row("L19", "a million rows beside small accounts", "small accounts' p95 delay at most twice that alone"),
    _row("L20", "a warm environment after a failure", "nothing of the one before: not its transaction, not its ids"),
    _row("L21", "cold start without a database", "webhooks are taken; work fails aloud and comes again"),
    _row("L22", "frozen for half an hour", "sockets, flag and tokens are made anew"),
    _row("L23", "neither log nor metrics can be written", "the work is done all the same"),
    _row(
        "L24",
        "an idempotency store that expires in mid-run",
        "correctness does not depend on it",
        "there is none: what was done is in the same PostgreSQL commit as the work itself (L04, L05)",
    ),
)
