"""A command group that answers a mistyped command with the nearest one."""

import difflib
from pathlib import Path

import click

__all__ = ["SuggestingGroup"]


class SuggestingGroup(click.Group):
    """A click group whose error for an unknown command says what was probably meant."""

    def resolve_command(
        self, context: click.Context, arguments: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the first argument names.

        Raises
        ------
        click.UsageError
            If no command has this name.
        """
        name = arguments[0]
        if name.startswith("-") or self.get_command(context, name) is not None:
            return super().resolve_command(context, arguments)
        commands = self.list_commands(context)
        nearest = difflib.get_close_matches(name.lower(), commands, n=1)
        if nearest:
            advice = f"did you mean '{nearest[0]}'?"
        elif Path(name).exists():
            advice = f"to use it as parameters: {context.command_path} generate {name}"
        else:
            advice = f"the commands are {', '.join(commands)}"
        raise click.UsageError(f"there is no command '{name}'; {advice}", context)
