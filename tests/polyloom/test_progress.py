"""The silent progress, and the version of the code."""

from polyloom.progress import SILENT
from polyloom.version import VERSION, code_version


def test_silence(capsys):
    with SILENT.stage("work", total=2, unit="rows") as bar:
        bar.advance()
        bar.say("half")
    SILENT.log("done")
    assert capsys.readouterr() == ("", "")


def test_the_version_and_twelve_digits_of_the_source():
    version, _, digest = code_version().partition("+")
    assert version == VERSION
    assert len(digest) == 12
    assert int(digest, 16) >= 0
    assert code_version() == code_version()
