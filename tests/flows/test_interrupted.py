import subprocess
import sys
from uuid import UUID

from flows.interrupted import close_interrupted
from flows.journal import journal_path
from flows.run_view import read_run

KILLED = """
import os, signal, sys
from pathlib import Path
from prefect import flow
from prefect.runtime import flow_run
from flows.journal import Journal, journal_path

@flow(name="train")
def train():
    with Journal(journal_path(Path(sys.argv[1]), "shop", str(flow_run.get_id()))):
        print(flow_run.get_id(), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

train()
"""


def test_a_killed_flow_run_does_not_stay_running(prefect_api, polyloom_home):
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(polyloom_home)], capture_output=True, text=True, check=False
    )
    run_id = killed.stdout.split()[0]
    path = journal_path(polyloom_home, "shop", run_id)
    assert read_run(path).state == "interrupted"

    assert close_interrupted(polyloom_home, "shop") == [run_id]

    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        assert client.read_flow_run(UUID(run_id)).state.name == "Crashed"
    assert read_run(path).state == "failed"
    assert close_interrupted(polyloom_home, "shop") == []
