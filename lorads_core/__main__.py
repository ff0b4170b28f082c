"""`python -m lorads_core` is `lorads`."""

import sys

from .cli.main import main

if __name__ == "__main__":
    sys.exit(main())
