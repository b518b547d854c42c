"""A real Streamlit process and a real Chromium, for the page's tests and for its pictures."""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

from flows import processes

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
APP = Path(__file__).parents[2] / "ui" / "app.py"
QUIET = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--no-first-run", "--disable-dev-shm-usage", "--lang=en",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]  # fmt: skip
START_SECONDS = 60.0


@contextlib.contextmanager
def served(home: Path) -> Iterator[str]:
    """The address of the page over a state folder, started from a folder that is not the project's."""
    port = processes.pick_port()
    command = [
        sys.executable, "-P", "-m", "streamlit", "run", str(APP), "--server.headless", "true",
        "--server.address", processes.LOOPBACK, "--server.port", str(port), "--server.fileWatcherType", "none",
        "--browser.gatherUsageStats", "false",
    ]  # fmt: skip
    elsewhere = home.parent / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if name not in {"PREFECT_API_URL", "MLFLOW_TRACKING_URI"}}
    log = home.parent / "page.log"
    with log.open("wb") as stream:
        page = subprocess.Popen(
            command, cwd=elsewhere, stdout=stream, stderr=stream, env={**kept, "POLYLOOM_HOME": str(home)}
        )
    try:
        running = processes.Running("page", page.pid, processes.born(page.pid) or "", port, "", str(log), "")
        processes.wait_healthy(running, "/_stcore/health", timeout_seconds=START_SECONDS)
        yield f"http://{processes.LOOPBACK}:{port}"
    finally:
        page.kill()
        page.wait()


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A headless Chromium that reaches this machine alone."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


def settled(page: Page) -> None:
    """Wait until the page has drawn its title and runs no more."""
    page.wait_for_selector("h1", timeout=60_000)
    page.wait_for_function(
        "() => document.querySelector('[data-testid=stApp]')?.dataset.testScriptState === 'notRunning'"
        " && !document.querySelector('[data-testid=stSpinner], [data-testid=stSkeleton]')",
        timeout=60_000,
    )
    expect(page.locator("[data-stale=true]")).to_have_count(0)
