"""The command line: parses the arguments and runs one verb.

A verb's handler, and with it flax, orbax, matplotlib and pandas, is imported after parsing, so that help is quick.
"""

import importlib
import os
import sys

import jax
from rich.console import Console

from jaxsocial.cli.options import VERBS
from jaxsocial.cli.parsing import DISK_FULL, REFUSED, parse
from jaxsocial.training import distributed
from jaxsocial.training.devices import keep_compiled_programs, use_all_cores
from jaxsocial.training.folder import DISK_IS_FULL
from jaxsocial.training.stopping import INTERRUPTED, Stopped, interrupts_answered, leave


def main(arguments: list[str] | None = None) -> int:
    """Runs one command.

    Args:
      arguments: those of the command line by default.

    Returns:
      The exit status: 0, 1 if no seed's numbers stayed finite, 2 if the command was refused, 3 if the disk is full,
      130 if it was stopped.
    """
    # As `python -m` does: users' own scenarios (module:function) lie where commands are started.
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    with interrupts_answered():
        try:
            status = _run(sys.argv[1:] if arguments is None else arguments)
        except KeyboardInterrupt:
            status = INTERRUPTED
        if status == INTERRUPTED and arguments is None:
            leave()  # while Python ends, one more Ctrl-C would kill it
        return status


def _run(arguments: list[str]) -> int:
    try:
        chosen = parse(arguments)
        keep_compiled_programs()
        # Before the handler is imported: jax fixes the number of devices when it starts.
        use_all_cores()
        handler = next(handler for record, handler in VERBS.values() if isinstance(chosen, record))
        module, _, function = handler.partition(":")
        return getattr(importlib.import_module(f"jaxsocial.cli.{module}"), function)(chosen, Console(markup=False))
    except ValueError as error:
        print(f"jaxsocial: {error}", file=sys.stderr)
        return REFUSED
    except BrokenPipeError:  # the reader has enough, as head has; rich does the same
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        full = error.errno in DISK_IS_FULL
        cure = "free some space; a run continues from its last checkpoint by --resume"
        where = f"{error.filename}: " if error.filename is not None else ""
        remedy = cure if full else "choose a place that can be used"
        print(f"jaxsocial: {where}{error.strerror or error}: {remedy}", file=sys.stderr)
        return DISK_FULL if full else REFUSED
    except Stopped as stop:
        distributed.leave()  # the other hosts would miss this one
        print(f"jaxsocial: {stop}", file=sys.stderr)
        return INTERRUPTED
    except Exception:
        # jax's errors differ with the platform, so it is asked once more.
        if _has_devices():
            raise
        named = os.environ.get("JAX_PLATFORMS", "")
        print(f"jaxsocial: no device of JAX_PLATFORMS={named} is here: leave it out, or name another", file=sys.stderr)
        return REFUSED


def _has_devices() -> bool:
    try:
        return bool(jax.devices())
    except Exception:
        return False


if __name__ == "__main__":
    sys.exit(main())
