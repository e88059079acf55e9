"""How the demo is shown: a live screen on a terminal, plain lines without control codes everywhere else."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from kubeinformer.cli.demo.picture import Picture, duration, size

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

_LINE_SECONDS = 1.0
_BAR = 24


class Display(Protocol):
    """Shows pictures, one after the other, within a `with` block."""

    def __enter__(self) -> Self:
        """Begin."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Leave the terminal as it was."""

    def show(self, picture: Picture) -> None:
        """Show a picture; may be called as often as one likes."""


def make_display() -> Display:
    """The display for this process's output."""
    from rich.console import Console

    console = Console()
    # FORCE_COLOR makes rich take anything for a terminal.
    live = sys.stdout.isatty() and console.is_terminal and not console.is_dumb_terminal
    return LiveDisplay(console) if live else PlainDisplay()


class PlainDisplay:
    """A line when a phase begins, and then one a second."""

    def __init__(self) -> None:
        self._phase = ""
        self._next = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        pass

    def show(self, picture: Picture) -> None:
        """See Display."""
        if picture.phase == self._phase and picture.elapsed < self._next:
            return
        self._phase, self._next = picture.phase, picture.elapsed + _LINE_SECONDS
        print(f"{picture.elapsed:5.1f} s  {'  '.join([picture.phase, *_plain_figures(picture)])}", flush=True)


def _plain_figures(picture: Picture) -> list[str]:
    figures = []
    if picture.total:
        figures.append(_progress(picture))
    if picture.objects:
        figures.append(f"{picture.objects:,} objects in {size(picture.memory)}")
    if events := sum(picture.events.values()):
        figures.append(f"{events:,} events, {picture.rate:,.0f}/s")
        figures.append(f"latency {duration(picture.median)}, p99 {duration(picture.high)}")
    return figures


def _progress(picture: Picture) -> str:
    if picture.unit == "bytes":
        return f"{size(picture.done)} of {size(picture.total)}"
    return f"{picture.done:,.0f} of {picture.total:,.0f} {picture.unit}"


class LiveDisplay:
    """A screen that is drawn anew for each picture, and gone at the end."""

    def __init__(self, console: Console) -> None:
        from rich.live import Live

        self._live = Live(console=console, auto_refresh=False, transient=True, redirect_stdout=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._live.stop()

    def show(self, picture: Picture) -> None:
        """See Display."""
        # Room for the ^C that a terminal echoes: on a full line it would wrap, and a line of the screen be left behind.
        width = self._live.console.width - 3
        with _uninterrupted():
            self._live.update(_screen(picture, width), refresh=True)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Put a Ctrl-C off to the end of the block: half a screen could not be taken away again."""
    pending: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: pending.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if pending:
        raise KeyboardInterrupt


def _screen(picture: Picture, width: int) -> RenderableType:
    from rich.console import Group
    from rich.panel import Panel
    from rich.table import Table

    parts: list[RenderableType] = [_headline(picture)]
    if picture.objects:
        columns = Table.grid(padding=(0, 3))
        columns.add_row(_figures(picture), _top("node", picture.nodes), _top("app", picture.apps))
        parts += ["", columns]
    return Panel(Group(*parts), title="kubeinformer demo", title_align="left", border_style="blue", width=width)


def _headline(picture: Picture) -> Table:
    from rich.progress_bar import ProgressBar
    from rich.table import Table

    headline = Table.grid(padding=(0, 2))
    if picture.total:
        bar = ProgressBar(total=picture.total, completed=picture.done, width=_BAR)
        headline.add_row(f"[bold]{picture.phase}[/]", bar, _progress(picture))
    else:
        headline.add_row(f"[bold]{picture.phase}[/]")
    return headline


def _figures(picture: Picture) -> Table:
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column(justify="right")
    table.add_row("objects", f"{picture.objects:,}")
    table.add_row("track=canary", f"{picture.canaries:,}")
    for kind, count in picture.events.items():
        table.add_row(kind, f"{count:,}")
    table.add_row("events/s", f"{picture.rate:,.0f}")
    table.add_row("latency", duration(picture.median))
    table.add_row("  p99", duration(picture.high))
    table.add_row("received", size(picture.received))
    table.add_row("memory", size(picture.memory))
    return table


def _top(title: str, counts: tuple[tuple[str, int], ...]) -> Table:
    from rich.progress_bar import ProgressBar
    from rich.table import Table

    table = Table.grid(padding=(0, 1))
    table.add_column()
    table.add_column(justify="right")
    table.add_row(f"[dim]{title}[/]", "[dim]pods[/]", "")
    highest = max((count for _, count in counts), default=1)
    for name, count in counts:
        bar = ProgressBar(total=highest, completed=count, width=12, complete_style="cyan", finished_style="cyan")
        table.add_row(name, f"{count:,}", bar)
    return table
