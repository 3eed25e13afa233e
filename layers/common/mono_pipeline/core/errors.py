"""The one error tree, split by what the caller must do.

PipelineError
├── InvalidInput              the caller's request is wrong: 422, names the field
├── MalformedFlag             the flag's text cannot be read: off at once, with an alarm
├── AccountUnknown            404
├── RunUnknown                404
├── AccountBlocked            the account cannot be read now: unlinked, or Mono refuses it
├── AlreadyRunning            a run holds the account's lease: 409, names the run
├── ProviderPaused            nobody may call Mono just now: rate budget or block; come back later
├── LeaseLost                 another run took the account over: stop, write nothing more
├── ConfigurationError        an operator must set something: names it
├── DependencyUnavailable     ours is down: answer 503, let the queue deliver again
│   ├── DatabaseUnavailable
│   ├── QueueUnavailable
│   └── ParametersUnavailable
└── MonoError                 Mono did not give what was asked
    ├── MonoUnreachable       no answer: refused, reset, timed out, deadline passed
    │   └── MonoUntrusted     its certificate does not prove that it is Mono
    ├── MonoServerError       5xx
    ├── MonoRateLimited       429; carries Mono's Retry-After
    ├── MonoRefused           401, 402, 403: key, wallet or permission
    ├── MonoNotFound          404, 410: this account or job is not there
    ├── MonoRejected          any other 3xx/4xx: our request is wrong for Mono
    └── MonoUnintelligible    an answer that cannot be trusted: the page is refused whole

What to do about each is data, not code: `core.classify`. An error never becomes an empty list.
"""

from __future__ import annotations


class PipelineError(Exception):
    """Something in mono-pipeline could not be done."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (self.__doc__ or "").splitlines()[0])


class InvalidInput(PipelineError):
    """A value from outside is not of its form."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem


class MalformedFlag(PipelineError):
    """The flag's text is neither true, nor false, nor a flag rule."""


class AccountUnknown(PipelineError):
    """No bank account with this id is known here."""


class RunUnknown(PipelineError):
    """No run with this id is known here."""


class AccountBlocked(PipelineError):
    """The account cannot be read until somebody does something about it."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"account blocked: {reason}")
        self.reason = reason


class AlreadyRunning(PipelineError):
    """Another run holds this account."""

    def __init__(self, run_id: str) -> None:
        super().__init__(f"run {run_id} holds this account")
        self.run_id = run_id


class ProviderPaused(PipelineError):
    """Nobody may call Mono for a while."""

    def __init__(self, seconds: float, reason: str) -> None:
        super().__init__(f"no call to Mono for {seconds:.0f} s: {reason}")
        self.seconds = seconds
        self.reason = reason


class LeaseLost(PipelineError):
    """The account's lease went to another run; nothing of this one may be written any more."""


class ConfigurationError(PipelineError):
    """A setting is missing or of the wrong form."""

    def __init__(self, setting: str, problem: str) -> None:
        super().__init__(f"{setting}: {problem}")
        self.setting = setting
        self.problem = problem


class DependencyUnavailable(PipelineError):
    """Something of ours that this needs is down."""


class DatabaseUnavailable(DependencyUnavailable):
    """PostgreSQL does not answer, or cut the connection."""


class QueueUnavailable(DependencyUnavailable):
    """SQS does not take or give messages."""


class ParametersUnavailable(DependencyUnavailable):
    """SSM Parameter Store does not answer."""


class MonoError(PipelineError):
    """Mono did not give what was asked."""


class MonoUnreachable(MonoError):
    """Mono gave no answer in time."""


class MonoUntrusted(MonoUnreachable):
    """Who answers at Mono's address cannot prove to be Mono, so that nothing was sent to it."""


class MonoServerError(MonoError):
    """Mono failed on its side."""

    def __init__(self, status: int) -> None:
        super().__init__(f"Mono answered {status}")
        self.status = status


class MonoRateLimited(MonoError):
    """Mono asks us to slow down."""

    def __init__(self, retry_after: float | None) -> None:
        """`retry_after` is in seconds from the answer, None where Mono gave none that can be read."""
        super().__init__("Mono answered 429")
        self.retry_after = retry_after


class MonoRefused(MonoError):
    """Mono refuses our key, our wallet or our permission."""

    def __init__(self, status: int) -> None:
        super().__init__(f"Mono answered {status}")
        self.status = status


class MonoNotFound(MonoError):
    """Mono does not know this account or job."""

    def __init__(self, status: int = 404) -> None:
        super().__init__(f"Mono answered {status}")
        self.status = status


class MonoRejected(MonoError):
    """Mono takes our request for wrong."""

    def __init__(self, status: int) -> None:
        super().__init__(f"Mono answered {status}")
        self.status = status


class MonoUnintelligible(MonoError):
    """Mono's answer cannot be trusted, so nothing of it is used."""

    def __init__(self, reason: str) -> None:
        """`reason` is one of a closed list of words (see `core.wire.REFUSALS`), never text from the answer."""
        super().__init__(f"unusable answer from Mono: {reason}")
        self.reason = reason
