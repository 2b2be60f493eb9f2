"""Run the command line as ``python -m hybridfactory``."""

import sys

from hybridfactory.cli import main

if __name__ == "__main__":
    sys.exit(main())
