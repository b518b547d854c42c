"""A bundle that a run made: the same again from the same data and seed, and no byte of it can change unseen."""

import os
import random
import re
import shutil

import pytest

from flows.forgetting import remove_runs
from flows.stages.package import package
from polyloom.durable import read_json
from polyloom.errors import IntegrityError
from polyloom.home import home
from polyloom.progress import SILENT
from releases.bundle import read_manifest, verify
from releases.runtime import Runtime
from tests.flows.test_uses import write_shop
from tests.support.stage_runs import job_for, packaged
from tests.support.toys import write_toys

SAMPLED = 4


@pytest.fixture(scope="module")
def twice(tmp_path_factory):
    """The folders of two bundles of one scenario, made in two state folders; it searches, recommends and answers."""
    return made_twice(tmp_path_factory.mktemp("uses"), write_shop)


def made_twice(folder, write):
    path, found = write(folder), []
    for name in ("first", "a/deeper/second"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("POLYLOOM_HOME", str(folder / name))
            found.append(packaged(job_for(path)))
    return found


def differing(first, second):
    """The files that two bundles do not have in common."""
    one, other = read_manifest(first).files, read_manifest(second).files
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


def test_the_same_data_and_seed_give_the_same_digest(twice):
    assert differing(*twice) == []
    assert twice[0].name == twice[1].name == read_manifest(twice[0]).digest


@pytest.mark.slow
def test_pictures_and_every_kind_of_modality_too(tmp_path):
    first, second = made_twice(tmp_path, lambda folder: write_toys(folder / "toys", epochs=1))
    assert differing(first, second) == []


def test_nothing_in_it_tells_where_it_was_made(twice):
    place = str(twice[0].parents[2]).encode()
    assert [path.name for path in twice[0].rglob("*") if path.is_file() and place in path.read_bytes()] == []


def test_another_seed_is_another_bundle_which_stores_only_what_differs(twice, monkeypatch):
    monkeypatch.setenv("POLYLOOM_HOME", str(twice[0].parents[2]))
    scenario = twice[0].parents[3] / "wishes.yaml"
    other = packaged(job_for(scenario, "recipe.seed=8"))
    assert other.name != twice[0].name
    one, two = read_manifest(twice[0]).files, read_manifest(other).files
    same = {name for name in one.keys() & two.keys() if one[name].sha256 == two[name].sha256}
    assert {"encoders/text/model.onnx", "preparation/text/tokenizer.json"} <= same
    assert all((twice[0] / name).samefile(other / name) for name in same)
    assert all((other / name).stat().st_nlink == 2 for name in two.keys() - same)


def test_packaging_again_is_the_same_folder(twice, monkeypatch):
    monkeypatch.setenv("POLYLOOM_HOME", str(twice[0].parents[2]))
    job = job_for(twice[0].parents[3] / "wishes.yaml")
    before = (twice[0] / "manifest.json").stat().st_ino
    assert package(job, progress=SILENT)["folder"] == str(twice[0])
    remove_runs(home() / "runs" / "wishes")
    assert packaged(job) == twice[0]
    assert (twice[0] / "manifest.json").stat().st_ino == before


def test_it_tells_its_environment_and_its_licences(twice):
    record = read_json(twice[0] / "environment.json")
    assert {"onnxruntime", "faiss-cpu", "bm25s"} <= record["serving"].keys()
    assert not {"torch", "prefect", "mlflow"} & {*record["serving"], *record["needed by these"]}
    assert "onnxruntime==" in (twice[0] / "requirements.txt").read_text()
    notes = (twice[0] / "LICENCES.md").read_text()
    assert "| wishes | not stated |" in notes
    assert "| faiss-cpu | MIT |" in notes


def flip(path, chance):
    content = bytearray(path.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(content)


def cut(path, chance):
    os.truncate(path, chance.randrange(path.stat().st_size))


def lengthen(path, chance):
    path.write_bytes(path.read_bytes() + chance.randbytes(1 + chance.randrange(40)))


def remove(path, chance):
    path.unlink()


def rename(path, chance):
    path.rename(path.with_name(path.name + "_"))


def swap_for_a_link(path, chance):
    folder = next(folder for folder in path.parents if folder.name == "bundle")
    same = shutil.copyfile(path, folder.with_name("elsewhere"))
    path.unlink()
    path.symlink_to(same)


def swap_for_a_folder(path, chance):
    path.unlink()
    path.mkdir()


CHANGES = [flip, cut, lengthen, remove, rename, swap_for_a_link, swap_for_a_folder]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_no_file_can_be_changed_unseen(twice, tmp_path, change):
    chance, digest = random.Random(change.__name__), twice[0].name
    bundle = tmp_path / "bundle"
    shutil.copytree(twice[0], bundle)
    for name in [*sorted(read_manifest(twice[0]).files), "manifest.json"]:
        times = SAMPLED if change in {flip, cut, lengthen} else 1
        for _ in range(times):
            change(bundle / name, chance)
            with pytest.raises(IntegrityError, match=re.escape(name)):
                Runtime.open(bundle, digest=digest)
            restore(twice[0], bundle, name)
    assert verify(bundle, expected=digest)


def restore(sealed, bundle, name):
    path = bundle / name
    if path.is_dir():
        path.rmdir()
    path.unlink(missing_ok=True)
    path.with_name(path.name + "_").unlink(missing_ok=True)
    shutil.copyfile(sealed / name, path)


def test_no_file_can_be_added_unseen(twice, tmp_path):
    bundle = tmp_path / "bundle"
    shutil.copytree(twice[0], bundle)
    for folder in [bundle, *(path for path in bundle.rglob("*") if path.is_dir())]:
        (folder / "added").write_bytes(b"")
        with pytest.raises(IntegrityError, match=re.escape((folder / "added").relative_to(bundle).as_posix())):
            Runtime.open(bundle)
        (folder / "added").unlink()
