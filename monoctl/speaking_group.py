"""Errors at the edge: what an operator can act on becomes a sentence and an exit code, a bug stays a traceback."""

from __future__ import annotations

import os
import traceback
from typing import Any

import typer
from typer._click.exceptions import NoSuchOption  # Typer has its own click, and shows little of it
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
        except NoSuchOption as error:
            self._say_where_it_stands(ctx, error)
            raise
        except KeyboardInterrupt:
            self._end(ctx, Failure(code="Stopped", sentence=_STOPPED, exit_code=ExitCode.CANNOT_TELL))
        except EXPLAINED as error:
            if os.environ.get(DEBUG) == "1":
                traceback.print_exc()
            self._end(ctx, explain(error))

    def _say_where_it_stands(self, ctx: Any, error: NoSuchOption) -> None:
        """A global option behind the command: the line as it would be right."""
        for option in self.params:
            if error.option_name in option.opts and error.ctx is not None:
                value = "" if getattr(option, "is_flag", False) else " …"
                command = error.ctx.command_path.removeprefix(ctx.command_path)
                right = f"{ctx.command_path} {error.option_name}{value}{command}"
                error.message += f"; it stands before the command: {right}"

    @staticmethod
    def _end(ctx: typer.Context, failure: Failure) -> None:
        Session.of(ctx).output.failed(failure)
        raise typer.Exit(failure.exit_code)
