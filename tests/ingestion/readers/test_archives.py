import gzip
import io
import os
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from ingestion.readers import zip_limits
from ingestion.readers.archives import (
    decompressed,
    is_archive,
    is_compressed,
    split_member,
    unpacked_pictures,
    unpacked_table,
)
from ingestion.readers.folders import FolderReader
from polyloom.errors import DataError, RequestError

TABLE = "text,picture\n说,images/1.png\n".encode()


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def zipped(folder: Path, members: dict[str, bytes]) -> Path:
    path = folder / "all.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def tarred(folder: Path, members: dict[str, bytes]) -> Path:
    path = folder / "all.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


@pytest.fixture(params=[zipped, tarred], ids=["zip", "tar"])
def pack(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[dict[str, bytes]], Path]:
    return lambda members: request.param(tmp_path, members)


def test_the_one_table_beside_its_pictures(pack: Callable[..., Path], cache: Path) -> None:
    path = pack(
        {"set/items.csv": TABLE, "set/images/1.png": b"png", "__MACOSX/._items.csv": b"x", "set/README.md": b"y"}
    )
    table = unpacked_table(path, member=None, cache=cache)
    assert table.name == f"{path.name}!items.csv"
    assert table.read_bytes() == TABLE
    assert (table.parent / "images/1.png").read_bytes() == b"png"
    assert not list(cache.rglob("README.md"))


def test_a_member_by_its_name(pack: Callable[..., Path], cache: Path) -> None:
    path = pack({"a.csv": b"a", "b/数据.jsonl": b"{}"})
    assert unpacked_table(path, member="b/数据.jsonl", cache=cache).read_bytes() == b"{}"
    assert unpacked_table(path, member="a.csv", cache=cache).read_bytes() == b"a"
    with pytest.raises(RequestError, match=r"has no 'c.csv'. Did you mean 'a.csv'\? It holds a.csv, b/数据.jsonl"):
        unpacked_table(path, member="c.csv", cache=cache)
    with pytest.raises(RequestError, match=r"holds 2 tables; name the one you mean, such as 'all.*!a.csv'"):
        unpacked_table(path, member=None, cache=cache)
    with pytest.raises(RequestError, match=r"holds no table; name .*It holds 1.png"):
        unpacked_table(pack({"1.png": b""}), member=None, cache=cache)


def test_it_is_unpacked_once_and_again_when_it_changed(pack: Callable[..., Path], cache: Path) -> None:
    path = pack({"a.csv": b"one"})
    first = unpacked_table(path, member=None, cache=cache)
    written = first.stat().st_mtime_ns
    assert unpacked_table(path, member=None, cache=cache) == first
    assert first.stat().st_mtime_ns == written
    assert unpacked_table(pack({"a.csv": b"other"}), member=None, cache=cache).read_bytes() == b"other"


@pytest.mark.parametrize("around", ["", "photos/", "set/photos/"])
def test_class_folders(pack: Callable[..., Path], cache: Path, around: str) -> None:
    path = pack(
        {f"{around}cat/1.png": b"1", f"{around}狗/2.png": b"2", f"{around}狗/Thumbs.db": b"", ".hidden/3.png": b"3"}
    )
    rows = list(FolderReader(unpacked_pictures(path, cache=cache), image="image").rows())
    assert [(row.values["path"], row.values["label"]) for row in rows] == [("cat/1.png", "cat"), ("狗/2.png", "狗")]
    assert Path(rows[1].values["image"]).read_bytes() == b"2"


def test_one_class_only_keeps_its_folder(pack: Callable[..., Path], cache: Path) -> None:
    rows = FolderReader(unpacked_pictures(pack({"all/cat/1.png": b"1"}), cache=cache), image="image").rows()
    assert [row.values["label"] for row in rows] == ["cat"]


def test_no_pictures(pack: Callable[..., Path], cache: Path) -> None:
    with pytest.raises(DataError, match=r"holds no pictures. It holds a.csv"):
        unpacked_pictures(pack({"a.csv": b""}), cache=cache)


@pytest.mark.parametrize("name", ["../out.csv", "/etc/out.csv", "a/../../out.csv", "..\\out.csv", "C:\\out.csv"])
def test_paths_that_lead_out(pack: Callable[..., Path], cache: Path, name: str) -> None:
    with pytest.raises(
        DataError, match=r"all.*out.csv' has a path that leads out of the archive; .*Nothing was unpacked"
    ):
        unpacked_table(pack({name: b"x"}), member=None, cache=cache)
    assert not list(cache.rglob("*.csv")) if cache.exists() else True


def test_links_in_a_tar(tmp_path: Path, cache: Path) -> None:
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE):
        with tarfile.open(tmp_path / "all.tar", "w") as archive:
            info = tarfile.TarInfo("rows.csv")
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
        with pytest.raises(DataError, match=r"all.tar: 'rows.csv' is a link or a device; pack the file itself"):
            unpacked_table(tmp_path / "all.tar", member=None, cache=cache)


def test_links_in_a_zip(tmp_path: Path, cache: Path) -> None:
    info = zipfile.ZipInfo("rows.csv")
    info.create_system, info.external_attr = 3, 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(DataError, match=r"'rows.csv' is a link; pack the file itself"):
        unpacked_table(tmp_path / "all.zip", member=None, cache=cache)


def test_a_locked_member(tmp_path: Path, cache: Path) -> None:
    path = zipped(tmp_path, {"rows.csv": b"a\n1\n"})
    content = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + offset] |= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"all.zip: 'rows.csv' is locked with a password; pack it without one"):
        unpacked_table(path, member=None, cache=cache)


def test_two_files_of_one_name(tmp_path: Path, cache: Path) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("rows.csv", "a")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("rows.csv", "b")
    with pytest.raises(DataError, match=r"all.zip holds a file twice under one name"):
        unpacked_table(tmp_path / "all.zip", member="rows.csv", cache=cache)


def test_bombs(pack: Callable[..., Path], cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = pack({"rows.csv": b"a\n" * 5_000_000})
    assert unpacked_table(path, member=None, cache=cache / "below the limits").stat().st_size == 10_000_000
    monkeypatch.setattr(zip_limits, "RATIO_COUNTS_FROM_BYTES", 1 << 20)
    with pytest.raises(DataError, match=r"unpacks to more than 250 times its size, like a zip bomb. If you trust it"):
        unpacked_table(path, member=None, cache=cache)
    monkeypatch.setattr(zip_limits, "MAX_UNPACKED_BYTES", 1 << 20)
    with pytest.raises(DataError, match=r"unpacks to more than 0 GiB. Unpack it yourself"):
        unpacked_table(path, member=None, cache=cache)
    monkeypatch.setattr(zip_limits, "MAX_MEMBERS", 1)
    with pytest.raises(DataError, match=r"holds more than 1 files"):
        unpacked_table(pack({f"{number}.csv": b"" for number in range(3)}), member=None, cache=cache)
    assert [one.name for one in cache.iterdir()] == ["below the limits"]


def test_a_member_that_lies_about_its_size(tmp_path: Path, cache: Path) -> None:
    path = zipped(tmp_path, {"rows.csv": b"a\n" * 100_000})
    stated, lie = struct.pack("<I", 200_000), struct.pack("<I", 50)
    path.write_bytes(path.read_bytes().replace(stated, lie))
    with pytest.raises(DataError, match=r"all.zip cannot be unpacked: Bad CRC-32 .*Fetch or pack it again"):
        unpacked_table(path, member=None, cache=cache)
    assert not list(cache.iterdir())


def test_names_of_chinese_windows(tmp_path: Path, cache: Path) -> None:
    path = zipped(tmp_path, {"AAAA.csv": b"a", "BBBB/1.png": b"p"})
    path.write_bytes(
        path.read_bytes().replace(b"AAAA", "数据".encode("gb18030")).replace(b"BBBB", "图片".encode("gb18030"))
    )
    table = unpacked_table(path, member="数据.csv", cache=cache)
    assert table.name == "all.zip!数据.csv"
    assert (table.parent / "图片/1.png").read_bytes() == b"p"


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 and no more", b"not packed at all" * 50])
@pytest.mark.parametrize("name", ["all.zip", "all.tar", "all.tar.gz", "all.tar.xz"])
def test_what_cannot_be_unpacked(tmp_path: Path, cache: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=rf"{name} (is empty: it has 0 bytes|cannot be unpacked: .*) ?.*again"):
        unpacked_table(tmp_path / name, member=None, cache=cache)


def zstd(content: bytes) -> bytes:
    return pa.compress(content, codec="zstd", asbytes=True)


@pytest.mark.parametrize("name", ["rows.csv.gz", "rows.csv.bz2", "rows.csv.zst"])
def test_compressed_tables(tmp_path: Path, cache: Path, name: str) -> None:
    path = tmp_path / name
    content = b"a\n" + b"".join(b"%d\n" % number for number in range(300_000))
    with pa.CompressedOutputStream(str(path), {"gz": "gzip", "t": "zstd"}.get(name[-2:].strip("s"), "bz2")) as stream:
        stream.write(content)
    found = decompressed(path, cache=cache)
    assert found.name == f"{name}!rows.csv"
    assert found.read_bytes() == content
    assert decompressed(path, cache=cache) == found
    path.write_bytes(path.read_bytes()[:-30_000])
    os.utime(path, (1, 1))
    with pytest.raises(DataError, match=rf"{name} cannot be unpacked: .*again"):
        decompressed(path, cache=cache)


def test_a_compressed_bomb(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zip_limits, "RATIO_COUNTS_FROM_BYTES", 1 << 20)
    (tmp_path / "rows.csv.gz").write_bytes(gzip.compress(bytes(30_000_000)))
    with pytest.raises(DataError, match=r"rows.csv.gz unpacks to more than 250 times its size"):
        decompressed(tmp_path / "rows.csv.gz", cache=cache)
    assert not list(cache.iterdir())


def test_which_names_are_meant() -> None:
    assert [is_archive(Path(name)) for name in ("a.zip", "a.TAR.GZ", "a.tgz", "a.csv.gz", "a.csv")] == [True] * 3 + [
        False
    ] * 2
    assert [is_compressed(Path(name)) for name in ("a.csv.gz", "a.jsonl.zst", "a.tar.gz", "a.csv")] == [
        True, True, False, False,
    ]  # fmt: skip
    assert split_member("x/all.zip!b/c.csv") == ("x/all.zip", "b/c.csv")
    assert split_member("x/prices.xlsx!Sheet 2") == ("x/prices.xlsx", "Sheet 2")
    assert split_member("wow!.csv") == ("wow!.csv", None)
    assert split_member("x/all.zip") == ("x/all.zip", None)
