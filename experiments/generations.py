"""Does what learners know of the goal order survive from generation to generation, once the first experts are gone?

jaxsocial generations experiments/generations.toml
"""

import os
import sys

from jaxsocial.cli import main

if __name__ == "__main__":
    # As a user writes it: the path stands in tables of results.
    file = os.path.relpath(__file__.removesuffix(".py") + ".toml")
    sys.exit(main.main(["generations", file, *sys.argv[1:]]))
