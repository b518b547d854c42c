"""Checks of the installed packages: sets that resolve but do not work."""

import sys
from collections.abc import Callable, Sequence
from importlib import metadata

from packaging.requirements import Requirement
from packaging.version import Version

from flows.doctor.finding import Finding

REINSTALL = "install the locked set: make install, or uv pip install -r requirements.lock"
OLDEST, NEWEST = (3, 11), (3, 13)
FASTAPI_LIMIT = Version("0.151")
SQLALCHEMY_LIMIT = Version("2.1")
PREFECT_TRIED = Version("3.9")


def installed_version(name: str) -> str | None:
    """The version of an installed distribution, None when it is not there."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def declared_requirements(distribution: str = "polyloom") -> list[str]:
    """The bounds in pyproject.toml, as they were installed, without the extras."""
    try:
        lines = metadata.requires(distribution) or []
    except metadata.PackageNotFoundError:
        return []
    return [line for line in lines if "extra ==" not in line]


def python_version(version: tuple[int, int, int] = sys.version_info[:3]) -> Finding:
    """The interpreter is one that every dependency has wheels for."""
    found = ".".join(str(part) for part in version)
    ok = OLDEST <= version[:2] <= NEWEST
    return Finding("python", ok, found, "" if ok else "use Python 3.11 to 3.13, for example: uv venv --python 3.11")


def requirements(declared: Sequence[str], version_of: Callable[[str], str | None] = installed_version) -> Finding:
    """Every package lies within the bounds that polyloom declares."""
    if not declared:
        return Finding("packages", ok=False, found="polyloom itself is not installed", cure=REINSTALL)
    wrong = [complaint for line in declared if (complaint := _complaint(Requirement(line), version_of))]
    if wrong:
        return Finding("packages", ok=False, found="; ".join(wrong), cure=REINSTALL)
    return Finding("packages", ok=True, found=f"all {len(declared)} within their bounds")


def fastapi_with_prefect(prefect: str | None, fastapi: str | None) -> Finding:
    """Prefect 3.8 dies at its first flow with fastapi 0.151 or newer."""
    found = f"prefect {prefect}, fastapi {fastapi}"
    if not prefect or not fastapi:
        return Finding("fastapi with prefect", ok=False, found=found, cure=REINSTALL)
    bad = Version(prefect) < PREFECT_TRIED and Version(fastapi) >= FASTAPI_LIMIT
    cure = f"the first flow dies with it (keyword 'min_items'): uv pip install 'fastapi<{FASTAPI_LIMIT}'"
    return Finding("fastapi with prefect", not bad, found, cure if bad else "")


def sqlalchemy_with_prefect(prefect: str | None, sqlalchemy: str | None) -> Finding:
    """Prefect 3.8 cannot insert scheduled runs with SQLAlchemy 2.1: deployments look well and never run."""
    found = f"prefect {prefect}, sqlalchemy {sqlalchemy}"
    if not prefect or not sqlalchemy:
        return Finding("sqlalchemy with prefect", ok=False, found=found, cure=REINSTALL)
    bad = Version(prefect) < PREFECT_TRIED and Version(sqlalchemy) >= SQLALCHEMY_LIMIT
    cure = f"schedules never start a run (bulk_dml error in its log): uv pip install 'sqlalchemy<{SQLALCHEMY_LIMIT}'"
    return Finding("sqlalchemy with prefect", not bad, found, cure if bad else "")


def torch_pair(torch: str | None, torchvision: str | None, torchvision_error: str | None) -> Finding:
    """The builds of torch and torchvision belong together; `torchvision_error` is what importing it said."""
    found = f"torch {torch}, torchvision {torchvision}"
    kinds = {_build(version) for version in (torch, torchvision) if version}
    if torch and torchvision and len(kinds) == 1 and not torchvision_error:
        return Finding("torch with torchvision", ok=True, found=found)
    cure = (
        "they come from different builds (CPU and CUDA): remove both and install them in one step with uv: "
        "uv pip uninstall torch torchvision && uv pip install torch torchvision"
    )
    reason = f": {torchvision_error}" if torchvision_error else ""
    return Finding("torch with torchvision", ok=False, found=found + reason, cure=cure)


def _complaint(requirement: Requirement, version_of: Callable[[str], str | None]) -> str:
    if requirement.marker and not requirement.marker.evaluate():
        return ""
    found = version_of(requirement.name)
    if found is None:
        return f"{requirement.name} is missing"
    if requirement.specifier.contains(found, prereleases=True):
        return ""
    return f"{requirement.name} {found} is not {requirement.specifier}"


def _build(version: str) -> str:
    """The local part of a version, such as `cpu` or `cu128`."""
    return Version(version).local or ""
