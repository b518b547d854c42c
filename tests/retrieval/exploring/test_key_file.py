"""The key by which users are named: its owner's alone, and one for all processes."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from polyloom.errors import IntegrityError
from retrieval.exploring.key_file import read_or_make_key


def test_a_key_is_made_once_and_only_its_owner_reads_it(tmp_path):
    path = tmp_path / "shop" / "key"
    key = read_or_make_key(path)
    assert len(key) == 32
    assert read_or_make_key(path) == key
    assert path.stat().st_mode & 0o777 == 0o600
    assert [found.name for found in path.parent.iterdir()] == ["key"]
    assert read_or_make_key(tmp_path / "other" / "key") != key


def test_all_who_begin_at_once_get_one_key(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(read_or_make_key, [tmp_path / "shop" / "key"] * 40))
    assert len(keys) == 1


def test_a_broken_key_is_refused(tmp_path):
    (tmp_path / "key").write_bytes(b"short")
    with pytest.raises(IntegrityError, match="holds 5 bytes, a key has 32"):
        read_or_make_key(tmp_path / "key")
