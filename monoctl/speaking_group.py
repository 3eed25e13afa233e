"""Errors at the edge: what an operator can act on becomes a sentence and an exit code, a bug stays a traceback."""

from __future__ import annotations

import os
import traceback
from typing import Any

import typer
from typer.core import TyperGroup

from monoctl.exit_code import ExitCode
from monoctl.failure import EXPLAINED, Failure, explain
from monoctl.session import Session

DEBUG = "MONOCTL_DEBUG"
_STOPPED = "stopped by hand; what had been asked for goes on, and `monoctl accounts show` tells how it ends"


class SpeakingGroup(TyperGroup):
    """The commands of monoctl. With MONOCTL_DEBUG=1 every error shows where it came from."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; end with the exit code of whatever went wrong."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            self._end(ctx, Failure(code="Stopped", sentence=_STOPPED, exit_code=ExitCode.CANNOT_TELL))
        except EXPLAINED as error:
            if os.environ.get(DEBUG) == "1":
                traceback.print_exc()
            self._end(ctx, explain(error))

    @staticmethod
    def _end(ctx: typer.Context, failure: Failure) -> None:
        Session.of(ctx).output.failed(failure)
        raise typer.Exit(failure.exit_code)
