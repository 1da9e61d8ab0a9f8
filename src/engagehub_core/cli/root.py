"""The group of commands: our own, and those of other packages."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import EntryPoint, entry_points

import click

from engagehub_core import __version__
from engagehub_core.errors import EngageHubError, InvalidArgument, InvalidType
from engagehub_core.replay.errors import BadUsage

__all__ = ["GROUP", "engagehub"]

#: Where another package registers its commands: the entry point's name is the command's, its object a click command.
GROUP = "engagehub.commands"
_OWN = {
    "demo": "engagehub_core.cli.demo:demo",
    "info": "engagehub_core.cli.info:info",
    "replay": "engagehub_core.cli.replay:replay",
    "top": "engagehub_core.cli.questions:top",
    "trending": "engagehub_core.cli.questions:trending",
    "uniques": "engagehub_core.cli.questions:uniques",
}


class _Failed(click.ClickException):
    """Something that went wrong at run time."""


class _Misused(click.ClickException):
    """A question that can't be answered."""

    exit_code = 2


class _Interrupted(click.ClickException):
    """Ctrl-C where nothing was being written."""

    exit_code = 130


class _Commands(click.Group):
    """Loads a command when it is called for, so that a broken package costs nobody else theirs."""

    @staticmethod
    def _others() -> dict[str, EntryPoint]:
        return {entry.name: entry for entry in entry_points(group=GROUP) if entry.name not in _OWN}

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - as click calls it
        return sorted([*_OWN, *self._others()])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name in _OWN:
            module, _, name = _OWN[cmd_name].partition(":")
            command = getattr(import_module(module), name)
        elif (entry := self._others().get(cmd_name)) is not None:
            command = _loaded(entry)
        else:
            return None
        assert isinstance(command, click.Command)
        return command

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except (BadUsage, InvalidArgument, InvalidType) as error:
            raise _Misused(str(error)) from error
        except EngageHubError as error:
            raise _Failed(str(error)) from error
        except KeyboardInterrupt:
            message = "interrupted"
            raise _Interrupted(message) from None


def _loaded(entry: EntryPoint) -> click.Command:
    try:
        command = entry.load()
    except Exception as error:  # noqa: BLE001 - whatever a foreign package may raise: its line in the help says so
        return _broken(entry, f"{type(error).__name__}: {error}")
    if not isinstance(command, click.Command):
        return _broken(entry, f"{entry.value} is no click command")
    return command


def _broken(entry: EntryPoint, reason: str) -> click.Command:
    message = f"the command {entry.name!r} ({entry.value}) can't be loaded: {reason}"

    def fail(**_: object) -> None:
        raise _Failed(message)

    settings = {"ignore_unknown_options": True}
    arguments: list[click.Parameter] = [click.Argument(["arguments"], nargs=-1, type=click.UNPROCESSED)]
    return click.Command(
        entry.name, callback=fail, params=arguments, help=message, short_help="(broken)", context_settings=settings
    )


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, "--version", prog_name="engagehub")
def engagehub() -> None:
    """Replay event streams into ranks, trends, distinct counts and a database, and ask it afterwards."""
