"""Requests of all kinds, made from the running server's own OpenAPI schema: none ends in a failure of the server."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from polyloom.home import home
from releases.serving.tokens import TokenStore
from tests.support.live_server import live_server
from tests.support.small_bundle import release_small_bundle

pytestmark = pytest.mark.slow
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
)
EXAMPLES = 60


def fuzzed(url, folder, *options):
    """schemathesis' own command against a server; its exit code and what it said."""
    command = [
        str(Path(sys.executable).with_name("schemathesis")), "run", f"{url}/openapi.json", "--workers", "1",
        "--max-examples", str(EXAMPLES), "--phases", "examples,coverage,fuzzing", "--checks", ",".join(CHECKS),
        *options,
    ]  # fmt: skip
    found = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
    return found.returncode, found.stdout + found.stderr


@pytest.mark.parametrize("is_open", [True, False])
def test_no_request_that_the_schema_allows_or_forbids_fails_the_server(tmp_path, monkeypatch, is_open):
    monkeypatch.setenv("POLYLOOM_HOME", str(tmp_path / "home"))
    for name in ("shop", "support"):
        release_small_bundle(home(), name=name)
    options = []
    if not is_open:
        scopes = ["predict", "explain", "search", "recommend", "ask", "feedback", "metrics"]
        secret = TokenStore(home() / "serving" / "tokens.json").create("fuzz", scopes=scopes).secret
        options = ["-H", f"Authorization: Bearer {secret}"]
    with live_server() as (url, _):
        code, said = fuzzed(url, tmp_path, *options)
    assert code == 0, said[-4000:]
    lines = [json.loads(line) for line in (home() / "server.log").read_text().splitlines()]
    statuses = {line["status"] for line in lines if line["event"] == "handled"}
    assert {200, 422} <= statuses
    assert not [line for line in lines if line["event"] == "failure"]
    assert max(statuses) < 500
