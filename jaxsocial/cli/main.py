"""The command line: parses the arguments and runs one verb.

A verb's handler, and with it flax, orbax, matplotlib and pandas, is imported after parsing, so that help is quick.
"""

import errno
import importlib
import os
import sys

from rich.console import Console

from jaxsocial.cli.options import VERBS
from jaxsocial.cli.parsing import DISK_FULL, INTERRUPTED, REFUSED, parse
from jaxsocial.training.devices import keep_compiled_programs, use_all_cores
from jaxsocial.training.stopping import Stopped


def main(arguments: list[str] | None = None) -> int:
    """Runs one command.

    Args:
      arguments: those of the command line by default.

    Returns:
      The exit status: 0, 2 if the command was refused, 3 if the disk is full, 130 if it was stopped.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    # As `python -m` does: users' own scenarios (module:function) lie where commands are started.
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    try:
        chosen = parse(arguments)
        keep_compiled_programs()
        # Before the handler is imported: jax fixes the number of devices when it starts.
        use_all_cores()
        handler = next(handler for record, handler in VERBS.values() if isinstance(chosen, record))
        module, _, function = handler.partition(":")
        return getattr(importlib.import_module(f"jaxsocial.cli.{module}"), function)(chosen, Console())
    except ValueError as error:
        print(f"jaxsocial: {error}", file=sys.stderr)
        return REFUSED
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        cure = ": free some space; a run continues from its last checkpoint by --resume" if full else ""
        print(f"jaxsocial: {error.filename or 'a file'}: {error.strerror or error}{cure}", file=sys.stderr)
        return DISK_FULL if full else REFUSED
    except Stopped as stop:
        print(f"jaxsocial: {stop}", file=sys.stderr)
        return INTERRUPTED
    except KeyboardInterrupt:
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
