"""Editing the flag: every change has a person, a time and a reason, and no change is lost unseen.

SSM has no compare-and-set. An edit reads version n and writes; SSM then says which version the write became. Anything
but n+1 means that somebody wrote in between, and both values are reported.
"""

from __future__ import annotations

import re
from copy import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from mono_pipeline.core.errors import ConfigurationError, InvalidInput, MalformedFlag, PipelineError
from mono_pipeline.core.flag import FLAG_NAME, NOBODY, FlagChange, FlagRule, amend, parse_flag, render_flag

if TYPE_CHECKING:
    from collections.abc import Callable

    from mono_pipeline.adapters.parameters import Kind, ParameterStore, ParameterVersion

_NOTE = re.compile(r"(?P<when>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ) (?P<who>\S+): (?P<why>.*)", re.DOTALL)
_MAX_WHO = 200
_MAX_WHY = 700  # with a time and a name this stays under the 1,024 characters of an SSM description


class FlagVersion(Struct, frozen=True, kw_only=True):
    """One version of the flag.

    Attributes:
        version: SSM's number, 0 where the parameter does not exist.
        value: the text as it stands in SSM.
        rule: what it says, None when it is malformed (then the flag is off, and `problem` says why).
        changed_at: SSM's own time of the write, None where there is no parameter.
        who: who wrote it: as given by the edit, else the IAM identity that SSM saw.
        why: the reason given with the edit, else SSM's description as it is.
    """

    version: int
    value: str
    rule: FlagRule | None
    problem: str = ""
    changed_at: datetime | None = None
    who: str = ""
    why: str = ""


class FlagEdit(Struct, frozen=True, kw_only=True):
    """A finished edit: the flag before and after, and what the operator should know, one sentence each."""

    before: FlagVersion
    after: FlagVersion
    notes: tuple[str, ...] = ()


class FlagConflict(PipelineError):
    """Somebody else edited the flag between our reading and our writing."""

    def __init__(self, *, theirs: FlagVersion, ours: FlagVersion, written: bool) -> None:
        """`written` says whether ours is in force now (it came after theirs) or was not written at all."""
        outcome = (
            f"ours is in force as version {ours.version}; `monoctl flag restore {theirs.version}` brings theirs back"
            if written
            else "ours was not written: look at theirs and edit again"
        )
        super().__init__(
            f"{theirs.who or 'somebody'} wrote version {theirs.version} of the flag meanwhile: "
            f"theirs {theirs.value!r}, ours {ours.value!r}; {outcome}"
        )
        self.theirs = theirs
        self.ours = ours
        self.written = written


class FlagEditor:
    """Shows and edits the flag in its SSM parameter `name`. `now` is the wall clock of the edit's note."""

    def __init__(
        self, parameters: ParameterStore, name: str, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.name = name
        self._parameters = parameters
        self._now = now

    def read_flag(self) -> FlagVersion:
        """Return the flag as it is; version 0 where the parameter does not exist."""
        history = self.flag_history()
        return history[-1] if history else _missing()

    def flag_history(self) -> tuple[FlagVersion, ...]:
        """Return every version that SSM keeps (the last 100), oldest first; empty where there is no parameter."""
        try:
            return tuple(_flag_version(each) for each in self._parameters.history(self.name))
        except ConfigurationError:
            return ()

    def amend(self, change: FlagChange, *, who: str, why: str) -> FlagEdit:
        """Change parts of the rule, keep the rest; raise MalformedFlag where there is no readable rule to change."""
        before = self.read_flag()
        if before.rule is None:
            how = "set a whole value, or restore a version from the history"
            raise MalformedFlag(f"the flag is malformed and off ({before.problem}): {how}")
        amendment = amend(before.rule, change)
        after = self.write_flag(before.version, amendment.rule, who=who, why=why)
        return FlagEdit(before=before, after=after, notes=amendment.notes)

    def set_value(self, text: str, *, who: str, why: str) -> FlagEdit:
        """Replace the flag by a whole value: true, false or a rule. Raises MalformedFlag before anything is written."""
        before = self.read_flag()
        after = self.write_flag(before.version, parse_flag(text), who=who, why=why)
        return FlagEdit(before=before, after=after)

    def restore(self, version: int, *, who: str, why: str) -> FlagEdit:
        """Write an older version's value again, as a new version; raise InvalidInput for one that SSM does not keep."""
        history = self.flag_history()
        wanted = next((each for each in history if each.version == version), None)
        if wanted is None:
            kept = f"{history[0].version} to {history[-1].version}" if history else "no version"
            raise InvalidInput("version", f"{version} is not kept by SSM, which has {kept}")
        if wanted.rule is None:
            raise InvalidInput("version", f"{version} is malformed: {wanted.problem}")
        before = history[-1]
        after = self.write_flag(before.version, wanted.rule, who=who, why=f"restore {version}: {why}")
        return FlagEdit(before=before, after=after)

    def write_flag(self, expected_version: int, rule: FlagRule, *, who: str, why: str) -> FlagVersion:
        """Write a rule over the version that was read; 0 creates the parameter.

        Raises InvalidInput for a rule beyond 4 KB or an edit without a name or a reason, FlagConflict when the
        version is not the one expected, before the write or after it.
        """
        value, note = render_flag(rule), self._note(who, why)
        ours = FlagVersion(version=expected_version + 1, value=value, rule=rule, who=who, why=why)
        present = self.read_flag()
        if present.version != expected_version:
            raise FlagConflict(theirs=present, ours=ours, written=False)
        return self._put(expected_version, ours, note)

    def _put(self, expected_version: int, ours: FlagVersion, note: str) -> FlagVersion:
        new = expected_version == 0
        kind: Kind | None = "String" if new else None
        try:
            version = self._parameters.put(self.name, ours.value, description=note, kind=kind, overwrite=not new)
        except ConfigurationError as changed:  # created meanwhile, or deleted
            raise FlagConflict(theirs=self.read_flag(), ours=ours, written=False) from changed
        written = replace(ours, version=version, changed_at=self._now())
        if version != expected_version + 1:
            raise FlagConflict(theirs=self._version(version - 1), ours=written, written=True)
        return written

    def _version(self, version: int) -> FlagVersion:
        unseen = replace(_missing(), version=version, value="(not in SSM's history yet)")
        return next((each for each in self.flag_history() if each.version == version), unseen)

    def _note(self, who: str, why: str) -> str:
        if not re.fullmatch(rf"\S{{1,{_MAX_WHO}}}", who):
            raise InvalidInput("who", f"must be a name without white space, at most {_MAX_WHO} characters")
        if not 0 < len(why.strip()) <= _MAX_WHY:
            raise InvalidInput("reason", f"must say why, in at most {_MAX_WHY} characters")
        return f"{self._now().astimezone(UTC):%Y-%m-%dT%H:%M:%SZ} {who}: {why.strip()}"


def _missing() -> FlagVersion:
    return FlagVersion(version=0, value="", rule=NOBODY, problem=f"{FLAG_NAME} has no parameter yet, so it is off")


def _flag_version(found: ParameterVersion) -> FlagVersion:
    note = _NOTE.fullmatch(found.description)
    rule, problem = _parsed(found.value)
    return FlagVersion(
        version=found.version,
        value=found.value,
        rule=rule,
        problem=problem,
        changed_at=found.changed_at,
        who=note["who"] if note else found.changed_by,
        why=note["why"] if note else found.description,
    )


def _parsed(text: str) -> tuple[FlagRule | None, str]:
    try:
        return parse_flag(text), ""
    except MalformedFlag as malformed:
        return None, str(malformed)
