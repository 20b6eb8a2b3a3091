"""What a release says of itself: exact versions fit the declared ones."""

import tomllib
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent


def test_constraints_name_a_version_of_each_dependency_that_is_allowed():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    exact = dict(line.lower().split("==") for line in lines if not line.startswith("#"))
    for requirement in map(Requirement, declared):
        assert requirement.specifier.contains(exact[requirement.name]), requirement
