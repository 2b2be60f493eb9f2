"""Run the command line as ``python -m hybridfactory``."""

from hybridfactory.cli import program

if __name__ == "__main__":
    program()
