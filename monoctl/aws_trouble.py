"""What stands between a caller and AWS: botocore's errors by what the caller must do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from botocore import exceptions as aws

from monoctl.exit_code import ExitCode

SIGN_IN: Final = "sign in (`aws sso login`), or set AWS_PROFILE"
UNTOLD: Final = "what was asked for may be going on all the same"
_SERVER_ERROR: Final = 500
_LOOPBACK: Final = ("127.0.0.1", "localhost")

# AWS's error codes; CloudFormation says ValidationError for a stack that does not exist.
_CODES: Final[tuple[tuple[frozenset[str], ExitCode, str], ...]] = (
    (
        frozenset({"ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException"}),
        ExitCode.USAGE,
        f"these AWS credentials are not valid (any more): {SIGN_IN}",
    ),
    (
        frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"}),
        ExitCode.USAGE,
        "AWS does not allow these credentials {operation}: {said}",
    ),
    (
        frozenset({"ResourceNotFoundException", "ValidationError"}),
        ExitCode.USAGE,
        "{operation} finds nothing of that name: is this environment deployed in this Region and account?",
    ),
    (
        frozenset({"ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded"}),
        ExitCode.DOWN,
        "AWS is too busy for {operation} ({code}): wait a little and ask again",
    ),
)
_NO_CREDENTIALS: Final = (
    aws.NoCredentialsError,
    aws.PartialCredentialsError,
    aws.CredentialRetrievalError,
    aws.TokenRetrievalError,
    aws.SSOError,
    aws.ProfileNotFound,
)
_NO_CONNECTION: Final = (aws.EndpointConnectionError, aws.ConnectTimeoutError, aws.ConnectionClosedError, aws.SSLError)


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """AWS's or botocore's word for it, what to do about it in a sentence, and the exit code."""

    code: str
    sentence: str
    exit_code: ExitCode


def trouble_of(error: aws.BotoCoreError | aws.ClientError) -> Trouble:
    """Return what to do about an error of botocore."""
    return _refused(error) if isinstance(error, aws.ClientError) else _unreached(error)


def advice(host: str) -> str:
    """Return what to do when nobody answers at an address."""
    if any(name in host for name in _LOOPBACK):
        return "the embedded stack is not up (any more): `make down`, then `make up`"
    return "check the network, and AWS_REGION"


def _refused(error: aws.ClientError) -> Trouble:
    code, operation = error.response["Error"]["Code"], error.operation_name
    said = error.response["Error"].get("Message", "")[:300]
    for codes, exit_code, sentence in _CODES:
        if code in codes:
            told = sentence.format(code=code, operation=operation, said=said)
            return Trouble(code=code, sentence=told, exit_code=exit_code)
    failed = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= _SERVER_ERROR
    if failed:
        return Trouble(code=code, sentence=f"AWS failed at {operation} ({code})", exit_code=ExitCode.DOWN)
    return Trouble(code=code, sentence=f"AWS refuses {operation} ({code})", exit_code=ExitCode.CANNOT_TELL)


def _unreached(error: aws.BotoCoreError) -> Trouble:
    code = type(error).__name__
    if isinstance(error, _NO_CREDENTIALS):
        return Trouble(code=code, sentence=f"no AWS credentials that can be used: {SIGN_IN}", exit_code=ExitCode.USAGE)
    if isinstance(error, aws.NoRegionError):
        sentence = "no AWS Region is set: set AWS_REGION, or a profile that has one"
        return Trouble(code=code, sentence=sentence, exit_code=ExitCode.USAGE)
    if isinstance(error, aws.ReadTimeoutError):
        return Trouble(code=code, sentence=f"AWS gave no answer in time: {UNTOLD}", exit_code=ExitCode.CANNOT_TELL)
    if isinstance(error, _NO_CONNECTION):
        url = str(error.kwargs.get("endpoint_url", "AWS"))
        return Trouble(code=code, sentence=f"nobody answers at {url}: {advice(url)}", exit_code=ExitCode.DOWN)
    return Trouble(code=code, sentence=f"AWS could not be asked: {error}", exit_code=ExitCode.CANNOT_TELL)
