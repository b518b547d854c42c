"""A real MLflow server process over a SQLite file, which a test may kill and start again on the same port."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

START_SECONDS = 300


class RegistryServer:
    """One server; `start` waits until it answers."""

    def __init__(self, folder: Path, *, store: str):
        self.folder = folder
        self.store = store
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.uri = f"http://127.0.0.1:{self.port}"
        self.process = None

    def start(self):
        command = [
            sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port), "--workers", "1",
            "--backend-store-uri", self.store, "--artifacts-destination", str(self.folder / "mlartifacts"),
        ]  # fmt: skip
        quiet = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
        # Seven more processes, none of which a registry needs.
        quiet["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"
        quiet.pop("MLFLOW_TRACKING_URI", None)
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=quiet, start_new_session=True)
        self._wait()
        return self

    def kill(self):
        """`kill -9` of the server and its workers."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def _wait(self):
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            try:
                with urllib.request.urlopen(f"{self.uri}/health", timeout=5):
                    return
            except OSError:
                assert self.process.poll() is None, (self.folder / "server.log").read_text()[-2000:]
                time.sleep(0.2)
        raise TimeoutError((self.folder / "server.log").read_text()[-2000:])
