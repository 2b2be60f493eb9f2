"""The command line: parse, make one library call, show the result, turn errors into exit codes."""

from hybridfactory.cli.entry import main, program

__all__ = ["main", "program"]
