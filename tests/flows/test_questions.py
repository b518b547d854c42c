"""A file of questions: each is answered, or says why it cannot be."""

import json

import pytest

from flows.questions import answers
from polyloom.errors import RequestError
from releases.found import Wishes
from releases.runtime import Runtime
from tests.support.small_bundle import make_small_bundle, picture_of


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shop")
    make_small_bundle(folder / "bundle", blobs=folder / "blobs")
    return Runtime.open(folder / "bundle", blobs=folder / "blobs")


def asked(shop, folder, *lines):
    path = folder / "questions.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    return list(answers(shop, path, Wishes(k=2)))


def test_words_pictures_and_items_are_asked_line_by_line(shop, tmp_path):
    (tmp_path / "lamp.png").write_bytes(picture_of("p04"))
    found = asked(
        shop, tmp_path, '{"text": "Green desk lamp"}', "", '{"id": "x", "image": "lamp.png"}', '{"like": "p04"}'
    )
    assert [one["id"] for one in found] == [1, "x", 4]
    assert found[0]["hits"][0]["id"] == found[1]["hits"][0]["id"] == "p04"
    assert "p04" not in [hit["id"] for hit in found[2]["hits"]]
    assert json.dumps(found, ensure_ascii=False)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("nope", "line 1: not JSON"),
        ("[1]", "a line is an object with id, text, image, like"),
        ('{"txt": "a"}', "a line is an object with"),
        ('{"text": 3}', "text is 3; write text in quotes"),
        ('{"text": " "}', "Nothing was asked"),
        ('{"like": "p99"}', "no item 'p99'"),
        ('{"image": "none.png"}', "none.png: cannot be read"),
    ],
)
def test_what_cannot_be_asked_leaves_the_others_alone(shop, tmp_path, line, message):
    wrong, right = asked(shop, tmp_path, line, '{"text": "lamp"}')
    assert message in wrong["error"]
    assert len(right["hits"]) == 2


def test_a_file_that_is_not_there_is_refused(shop, tmp_path):
    with pytest.raises(RequestError, match="cannot be read"):
        list(answers(shop, tmp_path / "none.jsonl", Wishes()))
