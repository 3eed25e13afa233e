"""Accounts of a release read as their next sync would read them, one after the other, and nothing written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mono_pipeline.core.release import ReleaseEventKind, ReleaseStatus
from monoctl.errors import OpsRefused
from monoctl.exit_code import ExitCode, of_error, of_verdict, worst
from monoctl.release_book import newest_release
from monoctl.release_record import record_in
from monoctl.verify_walk import OF_ONE_ACCOUNT, verdicts_of
from monoctl.views.shadow import shadows_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monoctl.session import Session

    type Row = dict[str, Any]

# A sync would not read such an account either; the others can be read.
_OF_ONE_ACCOUNT: Final = OF_ONE_ACCOUNT | {"AccountBlocked"}


def compare_by_shadow(session: Session, stage: str, accounts: Sequence[str], *, release: str | None) -> ExitCode:
    """Read each account, show and record what its next sync would do, and return the gravest outcome.

    It is recorded in the release that is named, else in the one that is open. `stage` says whose accounts they are:
    the canary's, or those of a percentage.
    """
    answers: list[Row] = []
    with session.output.progress("reading at Mono, writing nothing") as say:
        for account_id in accounts:
            say(f"reading {account_id} at Mono, writing nothing: {len(answers)} of {len(accounts)} done")
            answers.append(_shadowed(session, account_id))
    code = worst(_exit_code(answer) for answer in answers)
    release = release or _open_release(session)
    record_in(
        session,
        release,
        ReleaseEventKind.SHADOW_COMPARED,
        {"stage": stage, "exit_code": int(code), **verdicts_of(answers)},
    )
    document = {"stage": stage, "accounts": answers, "exit_code": int(code), "recorded_in": release}
    session.output.result(document, shadows_table(answers, session.output.width))
    return code


def _shadowed(session: Session, account_id: str) -> Row:
    try:
        return session.reach.ops.ask("sync.shadow", account_id=account_id)
    except OpsRefused as refused:
        if refused.code not in _OF_ONE_ACCOUNT:
            raise
        return {"account_id": account_id, "error": {"code": refused.code, "message": str(refused)}}


def _exit_code(answer: Row) -> ExitCode:
    if "error" in answer:
        return of_error(OpsRefused(answer["error"]["code"], answer["error"]["message"]))
    return of_verdict(answer["verdict"]["kind"]) if answer["verdict"] else ExitCode.CANNOT_TELL


def _open_release(session: Session) -> str | None:
    newest = newest_release(session.reach.ops)
    if newest is None or newest["status"] != ReleaseStatus.OPEN:
        session.output.note("Recorded in no release: none is open, and none was named (--release ID).")
        return None
    return str(newest["id"])
