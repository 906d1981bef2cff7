"""`python -m lakecast` is the command `lakecast`."""

import sys

from lakecast.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
