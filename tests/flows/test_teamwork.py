"""A fit by several processes: started by the stage, or found started by a launcher."""

import json
import os
import subprocess
import sys
import time

import pytest
from torch.distributed import TCPStore

from flows.scenario_file import load_scenario
from flows.stages import teamwork
from flows.stages.fit import fit
from flows.stages.ingest import ingest
from flows.stages.job import Job
from flows.stages.launched import JOB, Launched, dismiss, here, launched
from flows.stages.prepare import prepare
from flows.stages.teamwork import Others, wait_for
from polyloom.errors import PolyloomError
from polyloom.home import home
from polyloom.progress import SILENT
from tests.support.command_line import QUIET, command, state
from tests.support.mlflow_store import copy_store, template
from tests.support.toys import write_picture_folders

PLACE = {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"}


def job(folder, *overrides):
    """A scenario of pictures, ready to be fitted."""
    path = write_picture_folders(folder)
    loaded = load_scenario(str(path), overrides=list(overrides))
    report = ingest(loaded, progress=SILENT)
    snapshot = home() / "snapshots" / loaded.scenario.name / report.id
    ref = {"scenario": str(path), "overrides": list(overrides), "snapshot": str(snapshot), "fingerprint": "f" * 16}
    prepare(Job.load(ref), progress=SILENT)
    return Job.load(ref)


class Noting:
    """Progress whose log is kept."""

    def __init__(self):
        self.said = []

    def log(self, line):
        self.said.append(line)

    stage = SILENT.stage


@pytest.mark.slow
def test_the_stage_starts_the_others_and_they_are_gone_afterwards(tmp_path):
    progress, epochs = Noting(), []
    ready = job(tmp_path, "recipe.processes=2", "recipe.gradient_checkpointing=true")
    report = fit(ready, progress=progress, on_epoch=epochs.append)
    assert report["processes"] == 2
    assert progress.said == ["fit: 2 processes"]
    assert len(epochs) == len(report["history"]) == 2
    assert (ready.folder / "fitted" / "encoders" / "image.safetensors").is_file()
    log = home() / "logs" / "fit-shades-1.log"
    assert "Error" not in log.read_text()
    left = subprocess.run(["pgrep", "-f", "flows.stages.follow 1 2"], capture_output=True, check=False)
    assert left.stdout == b""


@pytest.mark.slow
def test_a_process_that_fails_is_named_with_its_log(tmp_path, monkeypatch):
    ready = job(tmp_path, "recipe.processes=2")
    monkeypatch.setattr(teamwork.sys, "executable", str(tmp_path / "python"))
    (tmp_path / "python").write_text("#!/bin/sh\necho 'no room' >&2\nexit 3\n")
    (tmp_path / "python").chmod(0o755)
    with pytest.raises(
        PolyloomError, match=r"fit: process 1 ended with exit code 3 \(no room\)\. See .*fit-shades-1\.log"
    ):
        fit(ready, progress=SILENT, on_epoch=lambda epoch: None)


def test_a_process_that_does_not_come_is_told(monkeypatch):
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    monkeypatch.setattr(teamwork, "START_SECONDS", 0.2)
    with pytest.raises(
        PolyloomError, match=r"not all of 3 processes came within 0 s\. See what the launcher printed\."
    ):
        wait_for(store, 3, others=Others(processes=(), logs=()))
    for rank in (1, 2):
        store.set(here(rank), "1")
    wait_for(store, 3, others=Others(processes=(), logs=()))


@pytest.mark.parametrize("missing", ["RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"])
def test_without_a_launcher_a_process_stands_alone(missing):
    assert launched({name: value for name, value in PLACE.items() if name != missing}) is None
    assert launched({**PLACE, "WORLD_SIZE": "1"}) is None


def test_a_launcher_says_who_leads():
    assert launched(PLACE) == Launched(rank=1, size=2, local_rank=1, address="127.0.0.1", port=29500)
    assert launched(PLACE).follows
    assert not launched({**PLACE, "RANK": "0"}).follows


def test_a_run_without_a_fit_lets_the_others_go():
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    place = Launched(rank=0, size=2, local_rank=0, address="127.0.0.1", port=store.port)
    waiting = subprocess.Popen([sys.executable, "-m", "flows.stages.follow", "1", "2", "127.0.0.1", str(store.port)])
    while not store.check([here(1)]):
        time.sleep(0.05)
    dismiss(place)
    assert waiting.wait(timeout=300) == 0


def test_a_job_that_was_handed_out_is_not_taken_back():
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    store.set(JOB, "{}")
    dismiss(Launched(rank=0, size=2, local_rank=0, address="127.0.0.1", port=store.port))
    assert store.get(JOB) == b"{}"


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_torchrun_runs_the_whole_command(tmp_path, session_server, tmp_path_factory):
    folder = tmp_path / "home"
    folder.mkdir()
    uri = copy_store(template(tmp_path_factory), folder / "mlflow.db")
    words = command("run", write_picture_folders(tmp_path), "--json")
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *words[1:]]
    ended = subprocess.run(
        launcher,
        cwd=tmp_path,
        env={**os.environ, **QUIET, **state(folder, server=session_server.url, mlflow=uri)},
        capture_output=True,
        text=True,
        timeout=800,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["status"] == "released"
    (report,) = folder.glob("runs/shades/*/fit.json")
    assert json.loads(report.read_text())["processes"] == 2
