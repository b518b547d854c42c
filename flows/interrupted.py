"""Flow runs whose process was killed: Prefect is told, so that nothing stays RUNNING that does not run."""

from contextlib import closing
from pathlib import Path
from uuid import UUID

from flows.journal import Journal, journal_path
from flows.run_view import runs

WHY = "its process was killed; a later run goes on with its work"


def close_interrupted(home: Path, scenario: str) -> list[str]:
    """Mark the scenario's killed flow runs as crashed, in Prefect and in their journals; returns their ids."""
    gone = [run.run_id for run in runs(home, scenario) if run.state == "interrupted"]
    for run_id in gone:
        crash(run_id)
        with closing(Journal(journal_path(home, scenario, run_id))) as journal:
            journal.write("run_ended", state="failed", error=WHY)
    return gone


def crash(run_id: str) -> None:
    """Set a flow run that Prefect still believes in to Crashed; one that it does not know is none of ours."""
    from prefect.client.orchestration import get_client
    from prefect.exceptions import ObjectNotFound
    from prefect.states import Crashed

    try:
        flow_run = UUID(run_id)
    except ValueError:
        return
    with get_client(sync_client=True) as client:
        try:
            if not client.read_flow_run(flow_run).state.is_final():  # type: ignore[union-attr]
                client.set_flow_run_state(flow_run, Crashed(message=WHY), force=True)
        except ObjectNotFound:
            return
