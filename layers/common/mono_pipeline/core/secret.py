"""A value that must not be seen."""

from __future__ import annotations

from typing import Final, NoReturn


class Secret:
    """Text that shows itself to `reveal` alone: no repr, log line, format or traceback of a value holds it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text: Final = text

    def reveal(self) -> str:
        """Return the text; call it where the text goes on the wire and nowhere else."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(hidden)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not written anywhere")

    def __deepcopy__(self, memo: dict[int, object]) -> Secret:
        return self
