"""What is left of a request: by the columns of a real release, and by columns made by hand."""

import io
import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from modalities.preparation.categories import CategoryPreparation
from modalities.preparation.numbers import NumberPreparation
from polyloom.errors import RequestError
from releases.runtime import Runtime
from releases.serving.intake import Intake
from releases.serving.read_columns import Place, ReadColumns
from tests.support.small_bundle import make_small_bundle, picture_of

COLUMNS = ReadColumns.of(
    [
        NumberPreparation(columns=["price"], mean=[40.0], deviation=[20.0]),
        CategoryPreparation(values={"zip": ["82345678", "10115"]}),
    ]
)
WITH_TEXT = ReadColumns(texts=frozenset({"text"}), places={"from": Place("text", False), "to": Place("text", True)})


@pytest.fixture
def intake(tmp_path):
    return Intake(key=tmp_path / "key")


@pytest.fixture(scope="module")
def runtime(tmp_path_factory):
    folder = tmp_path_factory.mktemp("intake")
    make_small_bundle(folder / "bundle", blobs=folder / "blobs")
    return Runtime.open(folder / "bundle", blobs=folder / "blobs")


def test_a_text_is_masked_before_the_model_sees_it(intake):
    taken = intake.text("call 13800138000 or write to a@b.org")
    assert taken.scored is taken.stored
    assert (taken.stored, taken.masked, taken.exact) == (
        "call [phone] or write to [mail]",
        {"mail": 1, "phone": 1},
        True,
    )


def test_unmasked_the_model_sees_what_came_in_and_the_record_says_so(tmp_path):
    intake = Intake(mode="unmasked_unstored", key=tmp_path / "key")
    taken = intake.text("call 13800138000")
    assert (taken.scored, taken.stored, taken.exact) == ("call 13800138000", "call [phone]", False)
    assert intake.text("nothing personal").exact
    assert intake.answer({"text": "13800138000"}) == {"text": "[phone]"}


def test_kinds_that_are_not_named_stay(tmp_path):
    intake = Intake(["mail"], key=tmp_path / "key")
    assert intake.text("a@b.org 13800138000").stored == "[mail] 13800138000"


def test_an_unknown_kind_or_mode_is_refused(tmp_path):
    with pytest.raises(RequestError, match="'phones' is no kind of personal data"):
        Intake(["phones"], key=tmp_path / "key")
    with pytest.raises(RequestError, match="mode: 'masked' is not known; allowed are mask, unmasked_unstored"):
        Intake(mode="masked", key=tmp_path / "key")


def test_of_a_row_only_what_the_release_reads_is_kept(intake, runtime):
    columns = ReadColumns.of(runtime.preparations.values())
    taken = intake.row({"title": "mug of a@b.org", "a@b.org": "x", "owner": "13800138000", "title_zh": None}, columns)
    assert taken.stored == {"title": "mug of [mail]", "title_zh": None}
    assert taken.masked == {"mail": 1}


def test_a_picture_loses_what_it_says_of_itself(intake, runtime):
    columns = ReadColumns.of(runtime.preparations.values())
    told = Image.Exif()
    told[0x013B] = "a@b.org"
    content = io.BytesIO()
    Image.open(io.BytesIO(picture_of("p01"))).convert("RGB").save(content, "JPEG", exif=told)
    taken = intake.row({"picture": content.getvalue()}, columns)
    assert b"a@b.org" in content.getvalue()
    assert b"a@b.org" not in taken.stored["picture"]
    before, after = runtime.predict([{"picture": content.getvalue()}, taken.scored])
    assert before == after


@pytest.mark.parametrize("given", ["/etc/passwd", 7, ["x"], {"path": "x"}])
def test_a_picture_is_never_a_path(intake, runtime, given):
    columns = ReadColumns.of(runtime.preparations.values())
    with pytest.raises(
        RequestError, match=r"picture: a picture is given as the bytes of its file, not as (str|int|list|dict)"
    ):
        intake.row({"picture": given}, columns)


@pytest.mark.parametrize("content", [b"", b"no picture", b"\xff\xd8\xff\xe0"])
def test_what_is_no_picture_names_its_column(intake, runtime, content):
    with pytest.raises(RequestError, match="picture: the "):
        intake.row({"picture": content}, ReadColumns.of(runtime.preparations.values()))


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (12.5, 12.5),
        (12, 12),
        ("12.5", 12.5),
        (13800138000, 160.0),
        (-1e300, -80.0),
        (math.inf, 160.0),
        (None, None),
        (math.nan, None),
        ("nan", None),
        (10**400, 160.0),
    ],
)
def test_a_number_is_kept_as_far_as_the_model_tells_it_apart(intake, given, kept):
    taken = intake.row({"price": given}, COLUMNS)
    assert taken.stored == {"price": kept}
    preparation = NumberPreparation(columns=["price"], mean=[40.0], deviation=[20.0])
    if isinstance(given, float | int) and abs(given) < 1e308:
        assert (preparation([[given]])["vector"] == preparation([[kept]])["vector"]).all()


def test_a_text_in_a_column_of_numbers_is_refused_without_repeating_it(intake):
    with pytest.raises(RequestError, match=r"price: a number is needed here, such as 12\.5") as refused:
        intake.row({"price": "call 13800138000"}, COLUMNS)
    assert "138" not in str(refused.value)


def test_a_category_that_the_release_knows_stays(intake):
    assert intake.row({"zip": "82345678"}, COLUMNS).stored == {"zip": "82345678"}
    assert intake.row({"zip": "13800138000"}, COLUMNS).stored == {"zip": "[phone]"}


@pytest.mark.parametrize("given", [13800138000, {"tel": "13800138000"}, ["13800138000"], [13800138000]])
def test_what_is_read_as_text_is_masked_as_text(intake, given):
    assert "138" not in str(intake.row({"text": given}, WITH_TEXT).stored)


def test_places_follow_the_words_they_mark(intake):
    taken = intake.row({"text": "a@b.org likes lamps", "from": 14, "to": 19}, WITH_TEXT)
    kept = taken.stored
    assert kept["text"][kept["from"] : kept["to"]] == "lamps"


def test_an_id_of_the_index_stays_and_of_another_nothing_does(intake):
    taken = intake.ids(["4006381333931", "13800138000", "user_13800138000"], known={"4006381333931"}.__contains__)
    assert taken.stored == ["4006381333931", "[unknown]", "[unknown]"]
    assert taken.masked == {"unknown": 2}


def test_a_filter_finds_what_it_asks_for_and_is_kept_masked(intake):
    taken = intake.filter("owner = 'a@b.org'")
    assert (taken.scored, taken.stored, taken.exact) == ("owner = 'a@b.org'", "owner = '[mail]'", False)
    assert intake.filter("price < 20").exact


def test_a_user_is_a_pseudonym_under_the_key(intake, tmp_path):
    name = intake.user("ada@example.org")
    assert len(name) == 16
    assert name == Intake(key=tmp_path / "key").user("ada@example.org")
    assert name != Intake(key=tmp_path / "another").user("ada@example.org")


def test_the_turns_of_a_conversation_are_masked(intake):
    turns = [{"question": "I am at 13800138000", "answer": None, "cited": ["q1"]}]
    assert intake.texts(turns).stored == [{"question": "I am at [phone]", "answer": None, "cited": ["q1"]}]


PIECES = st.sampled_from(
    [
        "13800138000",
        "a@b.org",
        "１３８００１３８０００",
        " ",
        "4111 1111 1111 1111",
        "order ",
        "@",
        "11010519491231002X",
        "[phone]",
        "手机",
        "\n",
        "138",
        "+49 30 901820",
        "x",
    ]
)
VALUES = st.one_of(
    st.lists(PIECES, max_size=6).map("".join),
    st.lists(PIECES, max_size=5),
    st.text(max_size=20),
    st.none(),
    st.integers(),
    st.floats(),
)


@settings(max_examples=200, deadline=None)
@given(value=VALUES, price=st.one_of(st.integers(), st.floats(), st.none()), place=st.integers(0, 90))
def test_what_is_stored_comes_through_once_more_as_it_is(tmp_path_factory, value, price, place):
    columns = ReadColumns(texts=WITH_TEXT.texts, places=WITH_TEXT.places, numbers=COLUMNS.numbers)
    intake = Intake(key=tmp_path_factory.getbasetemp() / "key")
    first = intake.row({"text": value, "price": price, "from": place}, columns)
    again = intake.row(json.loads(json.dumps(first.stored)), columns)
    assert again.stored == first.stored
    assert not again.masked
