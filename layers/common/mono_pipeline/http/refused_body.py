"""Why a body was refused, in words that are ours: what the caller wrote is not sent back."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from mono_pipeline.core.errors import InvalidInput

if TYPE_CHECKING:
    from pydantic import ValidationError

# As fields of ours are named. A key that is not known is named too, so that a slip of the pen is found; anything else
# that somebody makes a key of is `body`.
_NAME: Final = re.compile(r"[a-z0-9_]{1,40}")
_LONGEST: Final = 200  # characters of pydantic's own sentence


def refused_body(error: ValidationError) -> InvalidInput:
    """The first thing that is wrong with a body, with its field named."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    path = [str(part) for part in first["loc"]]
    named = path and all(_NAME.fullmatch(part) for part in path)
    return InvalidInput(".".join(path) if named else "body", first["msg"][:_LONGEST])
