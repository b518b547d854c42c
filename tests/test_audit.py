"""`make audit`: a bill of materials of the lock, and known flaws, which a service on this machine tells."""

import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture
def checkout(tmp_path):
    """A checkout whose lock has three lines, so that flaws can be accepted in it."""
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "audit.py", tmp_path / ".ci")
    lines = [
        "numpy==2.4.0 \\",
        "    --hash=sha256:aa",
        'old-lib[x]==1.0 ; sys_platform == "win32" \\',
        "    --hash=sha256:b",
    ]
    lock = "\n".join([*lines, "b==2", ""])
    (tmp_path / "requirements.lock").write_text(lock)
    return tmp_path


@pytest.fixture
def service():
    """What OSV would say: the given results to any question; the questions are kept."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        results: object = None

        def do_POST(self):
            queries = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["queries"]
            asked.append(queries)
            flawed = [{"vulns": [{"id": "GHSA-1"}]} if q["package"]["name"] == "old-lib" else {} for q in queries]
            content = json.dumps({"results": flawed if Handler.results is None else Handler.results}).encode()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/", asked, Handler
    server.shutdown()
    server.server_close()


def audit(checkout, url):
    target = checkout / "build" / "sbom.json"
    done = subprocess.run(
        [sys.executable, checkout / ".ci" / "audit.py", target],
        env={**os.environ, "OSV_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )
    return done, json.loads(target.read_text())


def test_a_flaw_is_named_until_a_person_accepts_it(checkout, service):
    url, asked, _ = service
    done, _ = audit(checkout, url)
    assert done.returncode == 1, done.stderr
    assert "FLAW old-lib: GHSA-1  https://osv.dev/GHSA-1" in done.stdout
    assert {query["package"]["name"]: query["version"] for query in asked[0]} == {
        "numpy": "2.4.0",
        "old-lib": "1.0",
        "b": "2",
    }
    (checkout / ".ci" / "accepted_flaws.txt").write_text("# why\nGHSA-1 only on Windows, Ann, 2026\n")
    done, _ = audit(checkout, url)
    assert done.returncode == 0
    assert "0 of 3 distributions have flaws, 1 flaws are accepted" in done.stdout


def test_without_network_it_says_that_nothing_was_audited(checkout):
    done, found = audit(checkout, "http://127.0.0.1:9/")
    assert (done.returncode, done.stderr) == (0, "")
    assert "NOT AUDITED: no network" in done.stdout
    assert len(found["components"]) == 3


@pytest.mark.parametrize("results", [[], "x", [{}]])
def test_another_answer_is_no_audit(checkout, service, results):
    url, _, handler = service
    handler.results = results
    done, _ = audit(checkout, url)
    assert done.returncode == 0
    assert "NOT AUDITED" in done.stdout


def test_the_bill_holds_every_line_of_the_lock_and_no_time(checkout):
    shutil.copy(ROOT / "requirements.lock", checkout)
    _, found = audit(checkout, "http://127.0.0.1:9/")
    lock = (ROOT / "requirements.lock").read_text()
    names = {re.split(r"[=\[]", line)[0] for line in lock.splitlines() if re.match(r"[a-z0-9]", line)}
    assert {one["name"] for one in found["components"]} == names
    assert audit(checkout, "http://127.0.0.1:9/")[1] == found
    numpy = next(one for one in found["components"] if one["name"] == "numpy")
    assert numpy["purl"] == f"pkg:pypi/numpy@{numpy['version']}"
    assert "timestamp" not in json.dumps(found)


def test_ci_audits():
    assert "make audit" in (ROOT / ".ci" / "run").read_text()
    assert "build/" in (ROOT / ".gitignore").read_text().splitlines()
