"""Any error that an operator can do something about, as one sentence that says what, and its exit code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import httpx
from botocore.exceptions import BotoCoreError, ClientError

from mono_pipeline.core.errors import PipelineError
from monoctl.aws_trouble import UNTOLD, Trouble, advice, trouble_of
from monoctl.errors import OpsRefused
from monoctl.exit_code import ExitCode, of_error

type Explained = PipelineError | BotoCoreError | ClientError | httpx.RequestError
EXPLAINED: Final = (PipelineError, BotoCoreError, ClientError, httpx.RequestError)


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why a command did not do what was asked: a word for programs, a sentence for people, the exit code."""

    code: str
    sentence: str
    exit_code: ExitCode


def explain(error: Explained) -> Failure:
    """Return what to say of an error."""
    match error:
        case PipelineError():
            return _of_pipeline(error)
        case httpx.RequestError():
            return _of_http(error)
    return _of_aws(trouble_of(error))


def _of_pipeline(error: PipelineError) -> Failure:
    cause = error.__cause__
    if isinstance(cause, BotoCoreError | ClientError):
        trouble = trouble_of(cause)  # AWS's reason says more than that a service of AWS did not answer
        if trouble.exit_code is not ExitCode.CANNOT_TELL:
            return _of_aws(trouble)
    code = error.code if isinstance(error, OpsRefused) else type(error).__name__
    return Failure(code=code, sentence=str(error), exit_code=of_error(error))


def _of_http(error: httpx.RequestError) -> Failure:
    url, code = error.request.url, type(error).__name__
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError):
        sentence = f"nobody answers at {url.scheme}://{url.netloc.decode()}: {advice(url.host)}"
        return Failure(code=code, sentence=sentence, exit_code=ExitCode.DOWN)
    sentence = f"the answer from {url.host} broke off ({code}): {UNTOLD}"
    return Failure(code=code, sentence=sentence, exit_code=ExitCode.CANNOT_TELL)


def _of_aws(trouble: Trouble) -> Failure:
    return Failure(code=trouble.code, sentence=trouble.sentence, exit_code=trouble.exit_code)
