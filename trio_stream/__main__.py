"""``python -m trio_stream``: the same as the command ``trio-stream``."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
