"""Parts of Mono's answers as structs, strictly: no text for a number, no fraction for an integer.

msgspec checks what every run reads: it is loaded for the plain pages anyhow. pydantic, which takes a tenth of a second
to load, checks the rows of pages that are not plain, and is loaded with the first of these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import MsgspecError, Struct, convert

from mono_pipeline.core.errors import MonoUnintelligible

if TYPE_CHECKING:
    from mono_pipeline.core.wire.document import Json
    from mono_pipeline.core.wire.refusal import Refusal


class Shape(Struct, frozen=True):
    """A part of an answer; the fields that it does not name are of no interest."""


def shaped[T: Shape](shape: type[T], part: Json, otherwise: Refusal) -> T:
    """`part` as `shape`.

    Raises:
        MonoUnintelligible: `otherwise`. The cause is not attached, because it may quote the answer.
    """
    try:
        return convert(part, shape)
    except MsgspecError:
        raise MonoUnintelligible(otherwise) from None
