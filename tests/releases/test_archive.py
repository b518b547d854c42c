"""A release in one file: the same bytes each time, and nothing else than a release is ever taken from one."""

import gzip
import hashlib
import io
import json
import tarfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from polyloom.durable import json_digest
from polyloom.errors import IntegrityError, RequestError
from releases import archive as module
from releases.archive import ReleaseRecord, read_archive, write_archive
from releases.bundle import FileEntry, Manifest, read_manifest, seal, verify
from releases.tar_members import header

PICTURE = b"not really a picture"
SHA = hashlib.sha256(PICTURE).hexdigest()
TREE = {"scenario.json": b"{}", "encoders/text/model.onnx": b"hello" * 200, "图/鞋 1.png": b""}


def record_of(digest, **changes):
    facts = {
        "scenario": "shop",
        "version": "3",
        "digest": digest,
        "title": "Shop",
        "tags": {"polyloom.code": "1"},
        "history": [{"at": "2026-01-01T00:00:00+00:00", "why": "gate"}],
        "pictures": {SHA: len(PICTURE)},
    }
    return ReleaseRecord(**(facts | changes))


@pytest.fixture
def bundle(tmp_path):
    folder = tmp_path / "bundle"
    for name, content in TREE.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    seal(folder)
    (tmp_path / SHA).write_bytes(PICTURE)
    return folder


@pytest.fixture
def exported(bundle, tmp_path):
    return export(bundle, tmp_path / "shop.tar")


def export(bundle, path):
    write_archive(path, record_of(read_manifest(bundle).digest), bundle, picture=lambda sha: bundle.parent / sha)
    return path


@pytest.fixture
def into(tmp_path):
    folder = tmp_path / "deep" / "into"
    folder.mkdir(parents=True)
    return folder


@pytest.mark.parametrize("name", ["shop.tar", "shop.tar.gz"])
def test_what_was_exported_comes_back(bundle, tmp_path, into, name):
    path = export(bundle, tmp_path / name)
    archived = read_archive(path, into)
    assert archived.record == record_of(archived.manifest.digest)
    assert verify(into / "bundle") == verify(bundle) == archived.manifest
    assert (into / "pictures" / SHA).read_bytes() == PICTURE
    assert read_archive(path) == archived


@pytest.mark.parametrize("name", ["shop.tar", "shop.tar.gz"])
def test_the_same_release_gives_the_same_bytes(bundle, tmp_path, name):
    (tmp_path / "again").mkdir()
    assert export(bundle, tmp_path / name).read_bytes() == export(bundle, tmp_path / "again" / name).read_bytes()


def test_any_tar_reads_it(exported, tmp_path):
    with tarfile.open(exported) as tar:
        members = tar.getmembers()
        tar.extractall(tmp_path / "out", filter="data")
    assert [one.name for one in members[:2]] == ["release.json", "bundle/manifest.json"]
    assert all((one.mtime, one.uid, one.uname, one.mode) == (0, 0, "", 0o644) for one in members)
    verify(tmp_path / "out" / "bundle")


def test_a_file_that_is_there_is_not_written_over(bundle, exported, tmp_path):
    before = exported.read_bytes()
    with pytest.raises(RequestError, match=r"shop\.tar is there already\. Name another file, or remove it first"):
        export(bundle, exported)
    with pytest.raises(RequestError, match="none is no folder"):
        export(bundle, tmp_path / "none" / "x.tar")
    assert exported.read_bytes() == before


def test_a_changed_bundle_is_not_exported(bundle, tmp_path):
    (bundle / "scenario.json").write_bytes(b"[]")
    with pytest.raises(IntegrityError, match=r"'scenario\.json' was changed"):
        export(bundle, tmp_path / "shop.tar")
    assert not list(tmp_path.glob("*.tar")) + list(tmp_path.glob(".shop*"))


def test_what_has_no_place_in_a_tar_is_told():
    with pytest.raises(RequestError, match="names have at most 255 bytes, files at most 8 GiB"):
        header("x" * 300, 1)
    with pytest.raises(RequestError, match="files at most 8 GiB"):
        header("x", 2**34)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_flipped_bit_is_refused_and_nothing_is_written_outside(exported, into, data):
    content = bytearray(exported.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    refused(exported.parent / "flipped.tar", bytes(content))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_cut_or_longer_archive_is_refused(exported, data):
    content = exported.read_bytes()
    cut = content[: data.draw(st.integers(0, len(content) - 1))]
    refused(exported.parent / "cut.tar", cut)
    refused(exported.parent / "longer.tar", content + data.draw(st.binary(min_size=1, max_size=600)))


@pytest.mark.parametrize("place", [0.1, 0.5, 0.9, 0.999])
def test_a_damaged_compressed_archive_is_refused(bundle, tmp_path, place):
    content = bytearray(export(bundle, tmp_path / "shop.tar.gz").read_bytes())
    cut = bytes(content[: int(len(content) * place)])
    refused(tmp_path / "cut.tar.gz", cut)
    content[max(10, int(len(content) * place) - 1)] ^= 0x55
    refused(tmp_path / "bent.tar.gz", bytes(content))


def refused(path, content, match=None):
    path.write_bytes(content)
    with pytest.raises(IntegrityError, match=match):
        read_archive(path)


def hostile(members):
    """A tar of (TarInfo, content) as somebody else would write it."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for info, content in members:
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return target.getvalue()


def named(name, kind=tarfile.REGTYPE, link=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def begin(files, **changes):
    """The two members that an archive of these files begins with; every digest fits."""
    entries = {
        name: FileEntry(sha256=hashlib.sha256(content).hexdigest(), size=len(content))
        for name, content in files.items()
    }
    digest = json_digest({name: entry.sha256 for name, entry in entries.items()})
    manifest = module_manifest(Manifest(digest=digest, created="2026-01-01T00:00:00+00:00", files=entries))
    record = module._encoded(record_of(**({"digest": digest, "pictures": {}} | changes)))
    return [(named("release.json"), record), (named("bundle/manifest.json"), manifest)]


def module_manifest(manifest):
    from releases.bundle import _encoded

    return _encoded(manifest)


ONE = {"model.onnx": b"weights"}


@pytest.mark.parametrize(
    ("member", "told"),
    [
        (named("bundle/model.onnx", tarfile.SYMTYPE, "/etc/passwd"), "'bundle/model.onnx' is a link"),
        (named("bundle/model.onnx", tarfile.LNKTYPE, "release.json"), "'bundle/model.onnx' is a link"),
        (named("bundle/model.onnx", tarfile.CHRTYPE), "is a folder, a device or an extension of tar"),
        (named("bundle/model.onnx", tarfile.FIFOTYPE), "is a folder, a device or an extension of tar"),
        (named("bundle/model.onnx", tarfile.DIRTYPE), "is a folder, a device or an extension of tar"),
        (named("bundle/model.onnx", tarfile.GNUTYPE_SPARSE), "is a folder, a device or an extension of tar"),
        (named("../model.onnx"), r"'\.\./model\.onnx' is not expected here: 'bundle/model\.onnx' is the next file"),
        (named("/bundle/model.onnx"), "'/bundle/model.onnx' is not expected here"),
        (named("bundle/MODEL.onnx"), "'bundle/MODEL.onnx' is not expected here"),
        (named("bundle/manifest.json"), "'bundle/manifest.json' is not expected here"),
        (named("bundle/" + "x" * 200), "is a folder, a device or an extension of tar"),
    ],
)
def test_what_is_no_file_of_the_release_is_refused(tmp_path, into, member, told):
    path = tmp_path / "bad.tar"
    path.write_bytes(hostile([*begin(ONE), (member, b"")]))
    with pytest.raises(IntegrityError, match=told):
        read_archive(path, into)
    assert sorted(one.name for one in into.rglob("*")) == ["bundle", "manifest.json"]
    assert [one.name for one in into.parent.iterdir()] == ["into"]


def test_more_bytes_more_files_and_files_twice_are_refused(tmp_path):
    good = (named("bundle/model.onnx"), b"weights")
    path = tmp_path / "bad.tar"
    refused(
        path,
        hostile([*begin(ONE), (named("bundle/model.onnx"), b"w" * 10_000)]),
        "has 10,000 bytes, the manifest says 7",
    )
    refused(path, hostile([*begin(ONE), good, good]), "'bundle/model.onnx' is one file more than the release has")
    refused(path, hostile([*begin(ONE), good, (named("x"), b"")]), "'x' is one file more")
    refused(path, hostile(begin(ONE)), "is missing: the archive ends before 'bundle/model.onnx'")
    refused(
        path, hostile([*begin(ONE), (named("bundle/model.onnx"), b"weightz")]), "'bundle/model.onnx' is not what was"
    )


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"../x": b""}, r"the file name '\.\./x' leads out of its folder"),
        ({"a/../../x": b""}, "leads out of its folder"),
        ({"a//x": b""}, "leads out of its folder"),
        ({"/etc/x": b""}, "'/etc/x' is absolute"),
        ({"a\\..\\x": b""}, "has characters that mean something else"),
        ({"C:x": b""}, "has characters that mean something else"),
        ({"a\nb": b""}, "has characters that mean something else"),
        ({"": b""}, "leads out of its folder"),
        ({"Manifest.JSON": b""}, "is kept for the list of files"),
        ({"a/Model": b"", "A/model": b""}, "differ only in case or in the form"),
        ({"caf\u00e9": b"", "cafe\u0301": b""}, "differ only in case or in the form"),
        ({"a": b"", "a/b": b""}, "cannot be a file and the folder of"),
    ],
)
def test_names_that_lead_elsewhere_are_refused_by_the_manifest(tmp_path, into, files, told):
    path = tmp_path / "bad.tar"
    path.write_bytes(hostile([*begin(files), *((named(f"bundle/{name}"), content) for name, content in files.items())]))
    with pytest.raises(IntegrityError, match=told):
        read_archive(path, into)
    assert list(into.iterdir()) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"scenario": "../x"},
        {"scenario": "Shop"},
        {"version": "../1"},
        {"pictures": {"../x": 1}},
        {"pictures": {SHA: -1}},
        {"scenario": 3},
    ],
)
def test_a_record_that_no_release_has_is_refused(tmp_path, changes):
    refused(tmp_path / "bad.tar", hostile([*begin(ONE, **changes)]), r"release\.json is not what was exported")


def test_a_record_of_another_bundle_or_format_is_refused(tmp_path):
    path = tmp_path / "bad.tar"
    refused(path, hostile(begin(ONE, digest="0" * 64)), "tells of the bundle 0000")
    refused(path, hostile(begin(ONE, format=2)), "has format 2; this polyloom reads 1")
    for content in (b"[]", b"{", b"[" * 100_000, b'{"format": 1}', b"\xff"):
        refused(path, hostile([(named("release.json"), content)]), "is not what was exported")
    changed = json.loads(begin(ONE)[0][1])
    changed["history"] = []
    refused(path, hostile([(named("release.json"), json.dumps(changed).encode())]), "is not what was exported")


def test_sizes_that_nobody_can_keep_are_refused_before_they_are_read(tmp_path, into, monkeypatch):
    path = tmp_path / "bad.tar"
    info = tarfile.TarInfo("release.json")
    info.size = 5 * 2**30
    refused(path, info.tobuf(tarfile.USTAR_FORMAT), "has 5,368,709,120 bytes, at most")
    path.write_bytes(hostile(begin(ONE, pictures={SHA: 2**60})))
    with pytest.raises(RequestError, match=r"The release takes 1,152,921,504,606,846,983 bytes and .* has"):
        read_archive(path, into)


def test_a_bomb_stops_at_what_was_announced(tmp_path, into):
    path = tmp_path / "bomb.tar.gz"
    bomb = hostile([*begin(ONE), (named("bundle/model.onnx"), b"weights")]) + bytes(200 << 20)
    path.write_bytes(gzip.compress(bomb, compresslevel=1))
    with pytest.raises(IntegrityError, match="goes on after its end"):
        read_archive(path, into)


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04" + bytes(600), b"x" * 600, b"\x1f\x8b" + b"x" * 600, bytes(2000)]
)
def test_what_is_no_archive_is_told(tmp_path, content):
    refused(tmp_path / "x", content, "is cut short|is no release|is damaged|is missing")


def test_no_file_is_told(tmp_path):
    with pytest.raises(
        RequestError, match=r"none\.tar is not a file\. `polyloom bundle export SCENARIO FILE\.tar` writes"
    ):
        read_archive(tmp_path / "none.tar")
