"""The bar that most verbs show while they work: on a terminal, and not where logs are for machines."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dsa110_contimg.cli.context import Session


@contextmanager
def progress_bar(session: Session, title: str) -> Iterator[Callable[[float], None]]:
    """Show a bar on stderr, which goes when the work is done.

    Parameters
    ----------
    session : Session
    title : str
        What is being done.

    Yields
    ------
    callable
        Is to be told which fraction of the work has been done.
    """
    from rich.markup import escape
    from rich.progress import Progress

    shown = session.console.is_terminal and not session.log_json
    with Progress(console=session.console, transient=True, disable=not shown) as progress:
        task = progress.add_task(escape(title), total=1.0)
        yield lambda fraction: progress.update(task, completed=fraction)
