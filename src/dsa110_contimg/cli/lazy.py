"""A command group that imports a verb when it is called, and answers errors with one line."""

import json
import logging
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from dsa110_contimg.cli.context import Session
from dsa110_contimg.errors import ContimgError, SettingsError, UsageError

log = logging.getLogger(__name__)

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130


class Verb(NamedTuple):
    """Where a verb is: a function, or a Typer of several, in a module; and its line in the help text."""

    module: str
    attribute: str
    help: str


class LightGroup(TyperGroup):
    """A group whose own options, where they are not given, are not validated.

    Typer does that through pydantic, even on the way to ``VERB --help``: a quarter of a second before a word is said.
    """

    def get_params(self, ctx: Any) -> list[Any]:
        """List the options, each of which leaves an absent value alone."""
        options = super().get_params(ctx)
        for option in options:
            if "process_value" not in vars(option):
                vars(option)["process_value"] = _sparing(option)
        return options


def _sparing(option: Any) -> Callable[[Any, Any], Any]:
    """Validate the value of an option only if there is one."""
    validate: Callable[[Any, Any], Any] = option.process_value

    def process_value(ctx: Any, value: Any) -> Any:
        if value is not None or option.required:
            return validate(ctx, value)
        return None if option.callback is None else option.callback(ctx, option, None)

    return process_value


class LazyGroup(LightGroup):
    """The root of the command line: its verbs are `verbs`, imported when one is called.

    Listing them (for help and completion) uses the table alone; resolving one imports it.
    """

    verbs: dict[str, Verb] = {}  # noqa: RUF012 - a subclass gives its own

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, verb in self.verbs.items():
            self.add_command(TyperCommand(name, callback=None, help=verb.help), name)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Find the verb that is called, and import it."""
        name, command, rest = super().resolve_command(ctx, args)
        if name is not None and name in self.verbs:
            command = load_verb(name, self.verbs[name])
        return name, command, rest

    def invoke(self, ctx: Any) -> Any:
        """Run the verb; turn its errors into one line on stderr and an exit status."""
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort, typer.BadParameter, BrokenPipeError):
            raise
        except KeyboardInterrupt:
            _say(ctx, "interrupted")
            raise typer.Exit(EXIT_INTERRUPTED) from None
        except ContimgError as error:
            _say(ctx, f"error: {error}")
            log.debug("traceback of the above", exc_info=True)
            raise typer.Exit(EXIT_USAGE if isinstance(error, SettingsError | UsageError) else EXIT_FAILED) from None
        except Exception as error:
            if _is_usage_error(error):
                raise
            _say(ctx, f"error: {_one_line(error)}")
            log.debug("traceback of the above", exc_info=True)
            raise typer.Exit(EXIT_FAILED) from None


def load_verb(name: str, verb: Verb) -> Any:
    """Import a verb and make it a command."""
    function = getattr(import_module(verb.module), verb.attribute)
    if isinstance(function, typer.Typer):
        app = function
    else:
        app = typer.Typer(add_completion=False, rich_markup_mode=None)
        app.command(name)(function)
    command = get_command(app)
    command.name = name
    return command


def _is_usage_error(error: Exception) -> bool:
    """Whether Typer made this error for itself to show: it has a status and a message for the user."""
    return hasattr(error, "exit_code") and hasattr(error, "format_message")


def _one_line(error: Exception) -> str:
    """Say an error that nobody foresaw; the system's own messages say enough."""
    text = " ".join(str(error).split())
    if isinstance(error, OSError):
        return text
    hint = "(unexpected; run with --log-level debug for the traceback)"
    return f"{type(error).__name__}: {text} {hint}" if text else f"{type(error).__name__} {hint}"


def _say(ctx: Any, text: str) -> None:
    """Print one line on stderr, as JSON if the log is."""
    session = ctx.find_root().obj
    if isinstance(session, Session) and session.log_json:
        text = json.dumps({"level": "error", "message": text.removeprefix("error: ")}, ensure_ascii=False)
    print(text, file=sys.stderr)
