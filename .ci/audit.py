"""A bill of materials of all that polyloom installs, and whether any of it has a known flaw.

    python .ci/audit.py build/sbom.cdx.json

The bill is CycloneDX 1.6 out of `requirements.lock`, the same bytes for the same lock. OSV (https://osv.dev, or what
`OSV_URL` names) is asked once for all. Exit code 1: there are flaws that `.ci/accepted_flaws.txt` does not name.
Without network nothing is audited, which is said and is no failure.
"""

import importlib.metadata
import json
import os
import re
import sys
import urllib.error
import urllib.request
import uuid
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
ACCEPTED = ROOT / ".ci" / "accepted_flaws.txt"
SERVICE = "https://api.osv.dev/v1/querybatch"
SECONDS = 30
LINE = re.compile(r"^([a-z0-9][a-z0-9._-]*)(?:\[[^\]]*\])?==([^\s;\\]+)(?:\s*;\s*([^\\]+?))?\s*\\?$")


def main(target: Path) -> int:
    """Write the bill to `target`, and ask for flaws."""
    locked = locked_versions(LOCK.read_text(encoding="utf-8"))
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(bill(locked), indent=2) + "\n", encoding="utf-8")
    print(f"bill of materials: {target}, {len(locked)} distributions")
    try:
        found = flaws(locked)
    except (OSError, ValueError) as error:
        print(f"NOT AUDITED: no network, or no answer from {service()} ({error}). Run it again where there is one.")
        return 0
    accepted = accepted_flaws()
    new = {name: sorted(set(ids) - accepted) for name, ids in found.items() if set(ids) - accepted}
    for name, ids in sorted(new.items()):
        print(f"FLAW {name}: {', '.join(ids)}  https://osv.dev/{ids[0]}")
    known = len({one for ids in found.values() for one in ids} & accepted)
    print(f"audited: {len(new)} of {len(locked)} distributions have flaws, {known} flaws are accepted")
    return 1 if new else 0


def locked_versions(text: str) -> dict[str, tuple[str, str | None]]:
    """Name -> version and marker of each line of a lock; the last of several lines of one name counts."""
    found = {}
    for line in text.splitlines():
        if (match := LINE.match(line)) is not None:
            found[match[1]] = (match[2], match[3])
    return found


def bill(locked: dict[str, tuple[str, str | None]]) -> dict[str, Any]:
    """CycloneDX, without a time, so that it changes only with the lock."""
    components = [component(name, version, marker) for name, (version, marker) in sorted(locked.items())]
    number = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(components, sort_keys=True))
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{number}",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": "polyloom", "bom-ref": "polyloom"}},
        "components": components,
    }


def component(name: str, version: str, marker: str | None) -> dict[str, Any]:
    """One distribution; its licence as far as it is installed here and says one."""
    purl = f"pkg:pypi/{name}@{version}"
    found: dict[str, Any] = {"type": "library", "name": name, "version": version, "bom-ref": purl, "purl": purl}
    if (licence := licence_of(name)) is not None:
        found["licenses"] = [{"expression": licence}]
    if marker is not None:
        found["properties"] = [{"name": "polyloom:marker", "value": marker}]
    return found


def licence_of(name: str) -> str | None:
    """The SPDX expression that a distribution gives itself."""
    try:
        return importlib.metadata.metadata(name)["License-Expression"]
    except (importlib.metadata.PackageNotFoundError, KeyError):
        return None


def flaws(locked: dict[str, tuple[str, str | None]]) -> dict[str, list[str]]:
    """Name -> known flaws of the locked version. Raises OSError without network, ValueError for no such answer."""
    names = sorted(locked)
    queries = [{"version": locked[name][0], "package": {"name": name, "ecosystem": "PyPI"}} for name in names]
    request = urllib.request.Request(  # noqa: S310 - https, or what a person named
        service(), json.dumps({"queries": queries}).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310
        results = json.load(answer).get("results")
    if not isinstance(results, list) or len(results) != len(names):
        raise ValueError("it is not the answer to what was asked")
    return {
        name: [flaw["id"] for flaw in result["vulns"]]
        for name, result in zip(names, results, strict=True)
        if result.get("vulns")
    }


def accepted_flaws() -> set[str]:
    """The flaws that a person looked at: one a line, with the reason behind it."""
    lines = ACCEPTED.read_text(encoding="utf-8").splitlines() if ACCEPTED.is_file() else []
    return {line.split()[0] for line in lines if line.strip() and not line.startswith("#")}


def service() -> str:
    """Who is asked."""
    return os.environ.get("OSV_URL", SERVICE)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
