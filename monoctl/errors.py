"""What can go wrong between the command line and an environment, beside the errors of the pipeline itself."""

from __future__ import annotations

from mono_pipeline.core.errors import DependencyUnavailable, PipelineError


class StackDown(DependencyUnavailable):
    """No embedded stack is up here: `make up` starts one."""


class NotAllowed(PipelineError):
    """AWS does not let this caller in."""


class Unanswered(PipelineError):
    """No answer that says what became of the request: it may have happened."""


class Defect(PipelineError):
    """A function of ours crashed."""


class FlagOff(PipelineError):
    """The flag is off for everyone."""


class OpsRefused(PipelineError):
    """The ops function answered with an error of the pipeline."""

    def __init__(self, code: str, message: str) -> None:
        """`code` is the error's name in `mono_pipeline.core.errors`."""
        super().__init__(message)
        self.code = code
