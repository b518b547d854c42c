"""What every preparation must keep, whatever its modality."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

from modalities.preparation.categories import CategoryPreparation
from modalities.preparation.characters import CharacterPreparation
from modalities.preparation.loading import AnyPreparation, load_preparation
from modalities.preparation.marked import MarkedPreparation
from modalities.preparation.numbers import NumberPreparation
from modalities.preparation.pair import PairPreparation
from modalities.preparation.pictures import PicturePreparation
from modalities.preparation.text import TextPreparation
from modalities.preparation.words import WordPreparation
from polyloom.errors import IntegrityError
from tests.support.tiny_models import noise, png, write_tokenizer

ROWS = [
    {"title": "The red hats", "note": None, "price": 2.0, "weight": 1.0, "colour": "red", "shape": "round"},
    {"title": "my card, lost?", "note": "a shoe", "price": None, "weight": 3.0, "colour": "blue", "shape": None},
    {"title": "我要退款，退款吗", "note": "", "price": 4.0, "weight": None, "colour": "绿", "shape": "square"},
    {"title": "a", "note": "hat", "price": 7.5, "weight": 5.0, "colour": None, "shape": "round"},
]
for number, row in enumerate(ROWS):
    row["marked"] = f"<e1>{row['title']}</e1> lost {'the card ' * number}<e2>my hat</e2>"
    row["question"], row["context"] = row["title"], f"{'the card ' * number}lost my hat"
    row["picture"] = png(noise(seed=number, height=40 + 4 * number, width=56 - 4 * number))


@dataclass(frozen=True)
class Case:
    """A fitted preparation and the columns that it reads."""

    preparation: AnyPreparation
    columns: tuple[str, ...]

    def values(self):
        return [self.preparation.value(row) for row in ROWS]


def text(folder):
    write_tokenizer(folder)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    return TextPreparation(tokenizer=tokenizer, columns=("title", "note"), max_tokens=8, padding_id=0)


def words(folder):
    write_tokenizer(folder)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    return WordPreparation(tokenizer=tokenizer, columns=("title", "note"), max_tokens=8, padding_id=0, letters=6)


def pairs(folder):
    write_tokenizer(folder)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    return PairPreparation(tokenizer=tokenizer, columns=("question", "context"), max_tokens=12, padding_id=0)


def marked(folder):
    write_tokenizer(folder)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    settings = {"columns": ("marked",), "max_tokens": 14, "padding_id": 0, "markers": ("?", ".")}
    return MarkedPreparation(tokenizer=tokenizer, **settings)


def pictures(folder):
    return PicturePreparation(column="picture", size=32, mean=(0.5, 0.4, 0.3), deviation=(0.2, 0.3, 0.4), crop=0.9)


def numbers(folder):
    return NumberPreparation.fit(ROWS, columns=("price", "weight"))


def categories(folder):
    return CategoryPreparation.fit(ROWS, columns=("colour", "shape"))


def characters(folder):
    return CharacterPreparation.fit(ROWS, columns=("title", "note"), dim=64, sizes=(1, 2, 3))


PADDING = {"places": -1}
KINDS = {
    "text": (text, ("title", "note")),
    "words": (words, ("title", "note")),
    "pair": (pairs, ("question", "context")),
    "marked": (marked, ("marked",)),
    "image": (pictures, ("picture",)),
    "number": (numbers, ("price", "weight")),
    "category": (categories, ("colour", "shape")),
    "characters": (characters, ("title", "note")),
}


@pytest.fixture(params=list(KINDS))
def case(request, tmp_path):
    make, columns = KINDS[request.param]
    return Case(preparation=make(tmp_path), columns=columns)


def assert_same(one, other):
    assert list(one) == list(other)
    for name in one:
        assert one[name].dtype == other[name].dtype
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def test_a_batch_equals_its_rows_one_by_one(case):
    values = case.values()
    together = case.preparation(values)
    for line, value in enumerate(values):
        for name, array in case.preparation([value]).items():
            width = array.shape[1]
            np.testing.assert_array_equal(together[name][line, :width], array[0], err_msg=name)
            # Only padding may follow: zero is the padding of ids and masks alike here.
            assert (together[name][line, width:] == PADDING.get(name, 0)).all()


def test_every_array_has_the_batch_first(case):
    assert {len(array) for array in case.preparation(case.values()).values()} == {len(ROWS)}


def test_the_disk_gives_back_the_same_preparation(case, tmp_path):
    folder = tmp_path / "saved"
    folder.mkdir()
    case.preparation.save(folder)
    again = load_preparation(folder)
    assert type(again) is type(case.preparation)
    assert_same(again(case.values()), case.preparation(case.values()))
    assert [again.value(row) for row in ROWS] == case.values()


def test_saving_again_gives_the_same_bytes(case, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    case.preparation.save(first)
    load_preparation(first).save(second)
    assert {path.name for path in first.iterdir()} == {path.name for path in second.iterdir()}
    for path in first.iterdir():
        assert path.read_bytes() == (second / path.name).read_bytes(), path.name


def test_an_empty_batch_has_arrays_of_no_rows(case):
    empty, full = case.preparation([]), case.preparation(case.values())
    assert list(empty) == list(full)
    for name, array in empty.items():
        assert len(array) == 0
        assert array.ndim == full[name].ndim
        assert array.dtype == full[name].dtype


def test_the_same_values_give_the_same_arrays(case):
    assert_same(case.preparation(case.values()), case.preparation(case.values()))


def test_preparing_changes_no_value(case):
    values, before = case.values(), case.values()
    case.preparation(values)
    assert values == before


@pytest.mark.parametrize("row", [{}, {"other": 1}], ids=["empty", "foreign"])
def test_a_row_without_the_columns_has_no_value(case, row):
    assert case.preparation.value(row) is None


def test_a_row_with_only_missing_cells_has_no_value(case):
    assert case.preparation.value(dict.fromkeys(case.columns)) is None


def test_vectors_have_the_announced_length(case):
    arrays = case.preparation(case.values())
    if "vector" in arrays:
        assert arrays["vector"].shape == (len(ROWS), case.preparation.dim)
        assert arrays["vector"].dtype == np.float32


def test_an_unknown_kind_on_disk_is_refused(tmp_path):
    (tmp_path / "preparation.json").write_text('{"kind": "sound"}')
    with pytest.raises(IntegrityError, match=r"kind 'sound' is not known here; known are \['category', 'char"):
        load_preparation(tmp_path)


def test_preparing_needs_no_torch():
    heavy = "{'torch', 'timm', 'transformers'}"
    code = f"import sys, modalities.preparation.loading; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path.cwd())
    assert done.stdout.strip() == "[]"
