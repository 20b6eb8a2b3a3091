"""Runs the command line: ``python -m jaxsocial`` is ``jaxsocial``."""

import sys

from jaxsocial.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
