"""`python -m kubeinformer` is the command `kubeinformer`."""

from __future__ import annotations

import sys

from kubeinformer.cli import main

# The guard lets a child process that is started by spawn import this module without running the command again.
if __name__ == "__main__":
    sys.exit(main())
