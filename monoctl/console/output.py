"""Where words go: the result to stdout, everything else to stderr; for machines the result is one JSON document."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.live import Live
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import RenderableType

    from monoctl.failure import Failure

    type Show = Callable[[RenderableType, str], None]
    type Say = Callable[[str], None]


class Output:
    """The two streams of one command. Text from outside is never read as markup."""

    def __init__(self, *, machine: bool) -> None:
        """`machine` asks for JSON."""
        self.machine = machine
        self._out = Console(markup=False, highlight=False, emoji=False)
        self._err = Console(stderr=True, markup=False, highlight=False, emoji=False)

    @property
    def width(self) -> int:
        """Of the terminal, in characters; 80 where there is none."""
        return self._out.width

    def result(self, document: Any, *views: RenderableType) -> None:
        """Say what came of the command: the document to machines, the views to people."""
        if self.machine:
            self._json(document)
            return
        for view in views:
            self._out.print(view)

    def line(self, view: Text) -> None:
        """Write one line of a stream to stdout, however long it is."""
        self._out.print(view, soft_wrap=True)

    def raw(self, text: str) -> None:
        """Write a line to stdout as it is."""
        self._out.file.write(f"{text}\n")
        self._out.file.flush()

    def note(self, sentence: str, style: str = "") -> None:
        """Say something beside the result, on stderr."""
        self._err.print(Text(sentence, style=style), soft_wrap=True)

    def failed(self, failure: Failure) -> None:
        """Say why there is no result: a sentence to people; machines get it as their one document too."""
        self.note(f"monoctl: {failure.sentence}", style="red")
        if self.machine:
            error = {"code": failure.code, "message": failure.sentence}
            self._json({"error": error, "exit_code": int(failure.exit_code)})

    def document_line(self, document: Any) -> None:
        """Write one document of a stream of them, on one line."""
        self.raw(json.dumps(document, ensure_ascii=False, default=str))

    @contextmanager
    def live(self) -> Iterator[Show]:
        """Show how something goes until the block ends: what is yielded takes what is to be seen now, and one line.

        A terminal sees the view change, a log sees the lines; machines have their stream of documents instead.
        """
        if self.machine or not self._out.is_terminal:
            yield lambda _, line: None if self.machine else self.note(line)
            return
        with Live(console=self._out, auto_refresh=False) as shown:
            yield lambda view, _: shown.update(view, refresh=True)

    @contextmanager
    def progress(self, doing: str) -> Iterator[Say]:
        """Show what is going on and for how long, until the block ends; what is yielded changes the words."""
        columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
        if not self._err.is_terminal:
            self.note(f"{doing} ...")
        with Progress(*columns, console=self._err, transient=True, disable=not self._err.is_terminal) as progress:
            task = progress.add_task(doing)
            yield lambda words: progress.update(task, description=words)

    def _json(self, document: Any) -> None:
        self.raw(json.dumps(document, indent=2, ensure_ascii=False, default=str))
