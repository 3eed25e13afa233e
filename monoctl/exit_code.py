"""The exit codes of monoctl and of the live smoke test: the one place that says what each means."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final

from mono_pipeline.core import errors
from mono_pipeline.core.classify import TABLE, TreatmentKind
from mono_pipeline.core.release_gate import GateDecision, GateReason
from mono_pipeline.core.verdict import VerdictKind
from mono_pipeline.usecases.flag_editor import FlagConflict
from monoctl.errors import Defect, FlagOff, NotAllowed, OpsRefused, Unanswered

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mono_pipeline.core.release_gate import GateVerdict
    from monoctl.reach.answer import SyncAnswer


class ExitCode(IntEnum):
    """What a caller may rely on."""

    AS_PROMISED = 0
    DEFECT = 1  # ours
    USAGE = 2  # what was asked for, or the credentials it was asked with
    DEFERRED = 3  # by the flag
    INCOMPLETE = 4  # or unverifiable
    MISMATCH = 5
    BLOCKED = 6  # this account: unlinked, or Mono refuses it
    DOWN = 7  # Mono, or something of ours that this needs
    CANNOT_TELL = 8


# The first line that fits decides.
_ERRORS: Final[tuple[tuple[type[errors.PipelineError], ExitCode], ...]] = (
    (errors.InvalidInput, ExitCode.USAGE),
    (errors.MalformedFlag, ExitCode.USAGE),
    (errors.AccountUnknown, ExitCode.USAGE),
    (errors.RunUnknown, ExitCode.USAGE),
    (NotAllowed, ExitCode.USAGE),
    (FlagOff, ExitCode.DEFERRED),
    (errors.AccountBlocked, ExitCode.BLOCKED),
    (errors.ProviderPaused, ExitCode.DOWN),
    (errors.ConfigurationError, ExitCode.DOWN),
    (errors.DependencyUnavailable, ExitCode.DOWN),
    (errors.MonoError, ExitCode.DOWN),
    (errors.AlreadyRunning, ExitCode.CANNOT_TELL),
    (errors.LeaseLost, ExitCode.CANNOT_TELL),
    (FlagConflict, ExitCode.CANNOT_TELL),
    (Unanswered, ExitCode.CANNOT_TELL),
    (Defect, ExitCode.DEFECT),
    (errors.PipelineError, ExitCode.DEFECT),
)
_STATUSES: Final = {
    "accepted": ExitCode.AS_PROMISED,  # without waiting, that is all there is to promise
    "deferred": ExitCode.DEFERRED,
    "stopped": ExitCode.DEFERRED,  # the flag went off while the run was under way
    "incomplete": ExitCode.INCOMPLETE,
    "account_blocked": ExitCode.BLOCKED,
    "paused": ExitCode.DOWN,
    "unavailable": ExitCode.DOWN,
    "invalid_input": ExitCode.USAGE,
    "unknown_account": ExitCode.USAGE,
    "unknown_run": ExitCode.USAGE,
    "internal_error": ExitCode.DEFECT,
}
_VERDICTS: Final = {
    VerdictKind.VERIFIED.value: ExitCode.AS_PROMISED,
    VerdictKind.UNVERIFIABLE.value: ExitCode.INCOMPLETE,
    VerdictKind.MISMATCH.value: ExitCode.MISMATCH,
}
# Of many accounts, what is wrong goes before what is not known, and that before what only waits.
_GRAVITY: Final = (
    ExitCode.AS_PROMISED,
    ExitCode.DEFERRED,
    ExitCode.INCOMPLETE,
    ExitCode.BLOCKED,
    ExitCode.DOWN,
    ExitCode.CANNOT_TELL,
    ExitCode.USAGE,
    ExitCode.DEFECT,
    ExitCode.MISMATCH,
)
# When it is the provider that fails, the run stays open and is paused: a run that *ended* for one of these reasons
# ended because Mono refuses this one account.
_REFUSED_ACCOUNT: Final = frozenset(
    row.reason.value for row in TABLE if row.kind in {TreatmentKind.ACCOUNT_BLOCKED, TreatmentKind.PROVIDER_SUSPECT}
)


def of_error(error: errors.PipelineError) -> ExitCode:
    """Return the exit code of an error of the tree; the ops function's is that of the error it names."""
    kind = _named(error.code) if isinstance(error, OpsRefused) else type(error)
    return next(code for parent, code in _ERRORS if issubclass(kind, parent))


def of_run(run: Mapping[str, Any]) -> ExitCode:
    """Return the exit code of a run that ended, as `runs.show` shows it (columns of `sync_runs`)."""
    if run.get("status") == "completed":
        return of_verdict(run.get("verdict") or "")
    if run.get("status") == "failed":
        return ExitCode.BLOCKED if run.get("error_code") in _REFUSED_ACCOUNT else ExitCode.DOWN
    return _STATUSES.get(str(run.get("status")), ExitCode.CANNOT_TELL)


def of_answer(answer: SyncAnswer) -> ExitCode:
    """Return the exit code of a sync by its status and verdict; a word that is not known here cannot be told."""
    if answer.status == "completed":
        verdict = answer.run.verdict.kind if answer.run else None
        return _VERDICTS.get(verdict or "", ExitCode.CANNOT_TELL)
    if answer.status == "failed":
        refused = answer.run is not None and answer.run.error_code in _REFUSED_ACCOUNT
        return ExitCode.BLOCKED if refused else ExitCode.DOWN
    return _STATUSES.get(answer.status, ExitCode.CANNOT_TELL)


def of_gate(verdict: GateVerdict) -> ExitCode:
    """Return the exit code of a release's gate: what is wrong with the data goes before what is wrong with the work."""
    if verdict.decision is GateDecision.PROMOTE:
        return ExitCode.AS_PROMISED
    if verdict.decision is GateDecision.HOLD:
        unknown = verdict.reason is GateReason.ALERTS_UNKNOWN
        return ExitCode.CANNOT_TELL if unknown else ExitCode.INCOMPLETE
    wrong = verdict.reason in {GateReason.MISMATCH, GateReason.DUPLICATE_SUSPICION}
    return ExitCode.MISMATCH if wrong else ExitCode.DOWN


def of_verdict(kind: str) -> ExitCode:
    """Return the exit code of a verdict on stored rows; a word that is not known here cannot be told."""
    return _VERDICTS.get(kind, ExitCode.CANNOT_TELL)


def worst(codes: Iterable[ExitCode]) -> ExitCode:
    """Return the exit code of many: the gravest; of none, that all is as promised."""
    return max(codes, key=_GRAVITY.index, default=ExitCode.AS_PROMISED)


def _named(name: str) -> type[errors.PipelineError]:
    found = getattr(errors, name, None)
    return found if isinstance(found, type) and issubclass(found, errors.PipelineError) else Defect
