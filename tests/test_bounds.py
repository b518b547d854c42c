"""The bounds in pyproject.toml alone, without the lock, resolve to a set whose first Prefect flow runs."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FLOW = """
from prefect import flow, task

@task
def double(number: int) -> int:
    return 2 * number

@flow
def first() -> int:
    return double(21)

assert first() == 42
print("the first flow ran")
"""


def uv():
    return shutil.which("uv") or str(Path(sys.executable).with_name("uv"))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_what_the_bounds_resolve_to_runs_a_first_flow(tmp_path):
    clean = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "PREFECT_API_URL"}}
    resolved = tmp_path / "resolved.txt"
    compile_ = [uv(), "pip", "compile", str(ROOT / "pyproject.toml"), "--no-header", "--quiet", "-o", str(resolved)]
    found = subprocess.run(compile_, capture_output=True, text=True, env=clean, check=False, cwd=tmp_path)
    if found.returncode and ("connect" in found.stderr or "network" in found.stderr.lower() or "fetch" in found.stderr):
        pytest.skip(f"no package registry can be reached: {found.stderr.strip().splitlines()[-1]}")
    assert found.returncode == 0, found.stderr

    python = tmp_path / "venv" / "bin" / "python"
    create = [uv(), "venv", "--quiet", "--python", sys.executable, str(tmp_path / "venv")]
    subprocess.run(create, check=True, env=clean)
    # Prefect with all that it needs, at the versions that the bounds gave; the other packages are not in its way.
    install = [uv(), "pip", "install", "--quiet", "--python", str(python), "--constraints", str(resolved), "prefect"]
    subprocess.run(install, check=True, env=clean)

    script = tmp_path / "first_flow.py"
    script.write_text(FLOW)
    ran = subprocess.run(
        [str(python), str(script)],
        capture_output=True,
        text=True,
        check=False,
        env={
            **clean,
            "PREFECT_HOME": str(tmp_path / "prefect"),
            "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
            "DO_NOT_TRACK": "true",
        },
    )
    assert "the first flow ran" in ran.stdout, ran.stderr
