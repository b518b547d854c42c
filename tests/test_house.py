"""The rules of the house that no linter knows."""

import ast
import importlib.metadata
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

HOUSE = Path(__file__).resolve().parent.parent
PACKAGES = ("polyloom", "ingestion", "modalities", "heads", "training", "retrieval", "releases", "flows", "ui")
HEAVY = {
    "torch",
    "mlflow",
    "prefect",
    "transformers",
    "timm",
    "faiss",
    "onnxruntime",
    "matplotlib",
    "pandas",
    "streamlit",
    "sklearn",
    "scipy",
    "pyarrow",
}
UNSAFE = re.compile(
    r"\b(import pickle|from pickle|import joblib|from joblib|import dill|import cloudpickle|torch\.load\(|"
    r"yaml\.(load|unsafe_load|full_load)\(|allow_pickle=True|shelve\.open|marshal\.loads?)"
)


def sources():
    return sorted(path for package in PACKAGES for path in (HOUSE / package).rglob("*.py"))


def names(paths):
    return [path.relative_to(HOUSE).as_posix() for path in paths]


def test_there_is_code_in_every_package():
    assert {path.relative_to(HOUSE).parts[0] for path in sources()} == set(PACKAGES)


def test_init_files_are_empty():
    assert [name for name in names(sources()) if name.endswith("__init__.py") and (HOUSE / name).read_text()] == []


def test_no_module_of_flows_or_ui_hides_a_package_or_a_standard_module():
    taken = set(sys.stdlib_module_names) | set(importlib.metadata.packages_distributions()) - set(PACKAGES)
    ours = [path for path in sources() if path.relative_to(HOUSE).parts[0] in {"flows", "ui"}]
    found = [path for path in ours if (path.parent.name if path.stem == "__init__" else path.stem) in taken]
    assert names(path for path in found if path.parent.name not in PACKAGES or path.stem != "__init__") == []


def test_nothing_is_pickled_or_evaluated():
    found = [name for name in names(sources()) if UNSAFE.search((HOUSE / name).read_text(encoding="utf-8"))]
    assert found == []
    calls = [
        f"{path.relative_to(HOUSE)}:{node.lineno}"
        for path in sources()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"eval", "exec"}
    ]
    assert calls == []


def test_every_silenced_check_says_which():
    blanket = re.compile(r"#\s*(type:\s*ignore(?!\[)|noqa(?!:\s*[A-Z]))")
    found = [
        f"{path.relative_to(HOUSE)}:{number}"
        for path in [*sources(), *(HOUSE / "tests").rglob("*.py"), *(HOUSE / "benchmarks").rglob("*.py")]
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if blanket.search(line)
    ]
    assert found == []


def test_entry_points_are_modules_never_file_paths():
    for name in ("deployments.py", "server.py", "services.py"):
        text = (HOUSE / "flows" / name).read_text(encoding="utf-8")
        assert not re.search(r"[\"'][\w/]+\.py:\w+[\"']", text), name


@pytest.mark.parametrize("module", ["flows.cli", "flows.cli_errors", "polyloom.errors", "polyloom.progress"])
def test_the_command_line_starts_without_what_is_heavy(module):
    code = f"import {module}, sys; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=HOUSE)
    assert HEAVY & set(loaded.stdout.split()) == set()


def test_help_loads_nothing_heavy_and_names_every_command():
    code = (
        "import sys\nfrom flows.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "print('LOADED', *sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=HOUSE).stdout
    help_text, _, loaded = said.partition("LOADED")
    assert HEAVY & set(loaded.split()) == set()
    for command in (
        "run",
        "validate",
        "init",
        "scenarios",
        "datasets",
        "predict",
        "search",
        "releases",
        "promote",
        "rollback",
        "history",
        "up",
        "down",
        "status",
        "ui",
        "deploy",
        "doctor",
    ):
        assert re.search(rf"^  {command}\b", help_text, re.MULTILINE), command


def test_serving_needs_neither_torch_nor_prefect():
    code = "import releases.runtime, sys; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=HOUSE)
    assert {"torch", "transformers", "timm", "prefect"} & set(loaded.stdout.split()) == set()


def test_every_dependency_says_who_needs_it():
    text = (HOUSE / "pyproject.toml").read_text(encoding="utf-8")
    project = tomllib.loads(text)["project"]
    wanted = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    commented = re.findall(r'^\s*"([^"]+)",\s*# \S.{4,}$', text, re.MULTILINE)
    assert sorted(wanted) == sorted(set(commented) & set(wanted))


def test_the_lock_has_a_hash_for_each_line_and_no_address():
    text = (HOUSE / "requirements.lock").read_text(encoding="utf-8")
    assert "://" not in text
    assert not re.search(r"^\s*(-i|--index-url|--extra-index-url|--find-links|--trusted-host)\b", text, re.MULTILINE)
    entries = [entry for entry in text.replace("\\\n", " ").splitlines() if entry.strip() and not entry.startswith("#")]
    assert len(entries) > 50
    for entry in entries:
        assert re.match(r"^[a-z0-9][\w.-]*(\[[\w,-]+\])?==\S+", entry), entry
        assert "--hash=sha256:" in entry, entry


def test_every_bound_is_locked():
    project = tomllib.loads((HOUSE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    lock = (HOUSE / "requirements.lock").read_text(encoding="utf-8")
    locked = {line.partition("==")[0].partition("[")[0] for line in lock.splitlines() if "==" in line}
    assert {re.split(r"[<>=!\[ ]", one)[0].lower() for one in wanted} <= locked
