"""MLflow in PostgreSQL, and two machines that share nothing else: one promoter at a time, one ledger."""

import subprocess
import sys

import pytest

from polyloom.errors import IntegrityError, RegistryError
from releases.agreement import agreement
from releases.ledger import Ledger
from releases.registry import Registry
from releases.shared_ledger import SharedLines, shared_lines

pytestmark = pytest.mark.slow
WHO = {"who": "ann", "why": "better"}

RACING = """
import sys
from pathlib import Path
from polyloom.errors import RegistryError
from releases.registry import Registry

uri, ledgers, name, version, rounds = sys.argv[1:]
registry = Registry(uri, Path(ledgers))
registry.versions(name)
print("ready", flush=True)
for line in sys.stdin:
    try:
        registry.promote(name, version, expected=line.strip(), who=version, why="raced")
        print("won", flush=True)
    except RegistryError:
        print("lost", flush=True)
"""

DYING = """
import os, signal
from pathlib import Path
from releases import model_aliases
from releases.registry import Registry

registry = Registry({uri!r}, Path({ledgers!r}))
registry.versions({name!r})
moved = model_aliases.ModelAliases.move

def move(self, alias, version):
    moved(self, alias, version)
    os.kill(os.getpid(), signal.SIGKILL)

model_aliases.ModelAliases.move = move
registry.promote({name!r}, "2", expected="1", who="victim", why="until it is killed")
"""


@pytest.fixture(scope="module")
def postgres_uri(postgres_server):
    """The server's own database: MLflow's tables are made once for all tests here."""
    return postgres_server.render_as_string(hide_password=False)


@pytest.fixture
def machines(postgres_uri, tmp_path, request):
    """Two registries with ledger folders of their own over one store; three releases, the first is champion."""
    here, there = (Registry(postgres_uri, tmp_path / name) for name in ("here", "there"))
    name = request.node.name[:60].lower()
    for letter in "abc":
        folder = tmp_path / (letter * 64)
        folder.mkdir()
        here.register(name, folder, folder.name, None, {})
    here.promote(name, "1", expected=None, **WHO)
    return here, there, name


def test_what_one_machine_does_the_other_knows(machines):
    here, there, name = machines
    assert [change.version for change in there.history(name)] == ["1"]
    there.promote(name, "2", expected="1", **WHO)
    with pytest.raises(RegistryError, match="judged against version 1, but champion is now version 2"):
        here.promote(name, "3", expected="1", **WHO)
    assert here.rollback(name, "bob", "no").version == "1"
    there.history(name)
    assert here.ledger(name).path.read_bytes() == there.ledger(name).path.read_bytes()
    assert agreement(there, name).disagreements == agreement(here, name).disagreements == ()


def test_a_lost_copy_is_fetched_again_and_another_ledger_is_refused(machines):
    here, there, name = machines
    here.ledger(name).path.unlink()
    assert [change.version for change in here.history(name)] == ["1"]
    Ledger(there.ledger(name).path).append("intent", {"not": "shared"})
    with pytest.raises(IntegrityError, match=r"is another one than the one in the database. Move the file away"):
        there.history(name)


def test_a_ledger_of_before_is_handed_on(postgres_uri, tmp_path):
    path = tmp_path / "old.jsonl"
    for number in range(3):
        Ledger(path).append("note", {"number": number})
    Ledger(path, shared=SharedLines(postgres_uri)).catch_up()
    other = Ledger(tmp_path / "other" / "old.jsonl", shared=SharedLines(postgres_uri))
    other.path.parent.mkdir()
    other.catch_up()
    assert other.path.read_bytes() == path.read_bytes()


def test_of_two_machines_that_promote_at_once_one_wins(machines, postgres_uri):
    here, there, name = machines
    rounds = 5
    racers = []
    for registry, version in ((here, "2"), (there, "3")):
        command = [sys.executable, "-c", RACING, postgres_uri, str(registry.ledger_folder), name, version, str(rounds)]
        racers.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1))
    assert [racer.stdout.readline() for racer in racers] == ["ready\n"] * 2
    for _ in range(rounds):
        champion = here.resolve(name).version
        for racer in racers:
            racer.stdin.write(f"{champion}\n")
        assert sorted(racer.stdout.readline() for racer in racers) == ["lost\n", "won\n"]
        here.promote(name, "1", expected=here.resolve(name).version, **WHO)
    for racer in racers:
        racer.communicate()
    assert agreement(here, name).disagreements == ()
    assert agreement(there, name).lines == here.ledger(name).verify()


def test_a_line_whose_number_is_taken_is_refused(postgres_uri):
    lines = SharedLines(postgres_uri)
    lines.add("taken", 1, b"first")
    with pytest.raises(RegistryError, match=r"taken: another machine wrote line 1 of the ledger meanwhile"):
        lines.add("taken", 1, b"second")
    assert lines.since("taken", 1) == {1: b"first"}


def test_a_machine_that_dies_while_it_promotes_is_settled_by_another(machines, postgres_uri):
    here, there, name = machines
    dying = DYING.format(uri=postgres_uri, ledgers=str(there.ledger_folder), name=name)
    assert subprocess.run([sys.executable, "-c", dying], check=False, timeout=120).returncode == -9
    assert here.resolve(name).version == "2"
    assert here.history(name)[-1].outcome == "done"
    assert agreement(here, name).disagreements == ()


def test_only_postgres_shares():
    assert shared_lines("sqlite:////tmp/mlflow.db") is None
    assert shared_lines("http://127.0.0.1:5000") is None
