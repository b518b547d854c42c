"""There and back by two models that have learned nothing, but are real."""

import pytest

from modalities.translation import BackTranslation, load_translator
from polyloom.errors import RequestError, WeightsError
from tests.support.tiny_writers import write_marian

TEXTS = ["red shoe", "blue hat red hat"]


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    folder = tmp_path_factory.mktemp("marian")
    return [load_translator(str(write_marian(folder / str(seed), seed=seed))) for seed in (0, 1)]


def test_each_text_has_so_many_wordings_of_the_models_words(pair):
    there, back = pair
    found = BackTranslation(there=there, back=back, copies=3)(TEXTS)
    assert [len(one) for one in found] == [3, 3]
    assert {word for one in found for text in one for word in text.split()} <= {"red", "blue", "shoe", "hat"}
    assert len(set(found[0])) == 3
    assert BackTranslation(there=there, back=back, copies=3)(TEXTS) == found


def test_it_goes_there_and_then_back():
    class Noting:
        """A translator that says where it was."""

        def __init__(self, name):
            self.name = name

        def __call__(self, texts, *, copies):
            return [[f"{text}>{self.name}{number}" for number in range(copies)] for text in texts]

    found = BackTranslation(there=Noting("there"), back=Noting("back"), copies=2)(["a"])
    assert found == [("a>there0>back0", "a>there0>back1")]


def test_where_nothing_comes_back_the_text_stands():
    def silent(texts, *, copies):
        return [[""] * copies for _ in texts]

    assert BackTranslation(there=silent, back=silent, copies=2)(["a"]) == [("a", "a")]


def test_a_folder_that_translates_nothing_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(WeightsError, match=r"is no translation model .* Name a MarianMT folder"):
        load_translator(str(tmp_path / "empty"))


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(WeightsError, match="nowhere"):
        load_translator(str(tmp_path / "nowhere"))


def test_a_tokenizer_that_needs_a_missing_package_names_the_extra(tmp_path, monkeypatch):
    from transformers import AutoTokenizer

    def missing(*_, **__):
        raise ImportError

    monkeypatch.setattr(AutoTokenizer, "from_pretrained", missing)
    folder = write_marian(tmp_path / "marian")
    with pytest.raises(RequestError, match=r"needs the package sentencepiece\. Install the extra: .*\[translation\]"):
        load_translator(str(folder))
