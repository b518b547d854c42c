import pytest

from polyloom.durable import read_json, write_json
from polyloom.errors import FilterError, IntegrityError, RequestError
from releases.bundle import seal
from releases.runtime import Runtime
from tests.support.small_bundle import SHOP, SUPPORT, make_small_bundle, picture_of


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shop")
    make_small_bundle(folder / "bundle", blobs=folder / "blobs")
    return Runtime.open(folder / "bundle", blobs=folder / "blobs")


@pytest.fixture(scope="module")
def support(tmp_path_factory):
    folder = tmp_path_factory.mktemp("support") / "bundle"
    make_small_bundle(folder, name="support")
    return Runtime.open(folder)


def ids(hits):
    return [hit.id for hit in hits]


@pytest.mark.parametrize(("key", "title", "chinese"), [row[:3] for row in SHOP])
def test_an_item_is_found_by_its_words_and_by_its_picture(shop, key, title, chinese):
    assert ids(shop.search(text=title, k=1)) == ids(shop.search(text=chinese, k=1)) == [key]
    assert ids(shop.search(image=picture_of(key), k=1)) == [key]


def test_a_hit_says_why_it_was_found(shop):
    hit = shop.search(text="Green desk lamp", image=picture_of("p04"), k=3)[0]
    assert hit.ranks == {"chars": 1, "image": 1}
    assert hit.score == pytest.approx(2 / 61)
    assert hit.cosines["image"] == pytest.approx(1)
    assert 0.5 < hit.cosines["chars"] < 1  # its Chinese title was not asked for
    assert hit.row == {"title": "Green desk lamp", "price": 39.0, "category": "lamp", "colour": "green"}
    assert shop.picture(hit.image).read_bytes() == picture_of("p04")


def test_words_alone_leave_the_picture_index_out(shop):
    assert set(shop.search(text="clock", k=1)[0].ranks) == {"chars"}


def test_more_than_the_index_holds_gives_all_of_it(shop):
    assert sorted(ids(shop.search(text="lamp", k=1000))) == sorted(row[0] for row in SHOP)


def test_a_filter_narrows_before_the_search(shop):
    found = shop.search(text="lamp", k=3, where="category = 'clock' AND price < 30")
    assert sorted(ids(found)) == ["p10", "p11"]
    assert shop.search(text="lamp", where="price < 0") == []


def test_a_wrong_filter_is_refused(shop):
    with pytest.raises(FilterError, match=r"no column 'pric'\. Did you mean 'price'\?"):
        shop.search(text="lamp", where="pric < 30")


def test_like_an_item_leaves_the_item_itself_out(shop):
    found = ids(shop.search(like="p04", k=4))
    assert len(found) == 4
    assert "p04" not in found
    assert {"p05", "p06"} & set(found[:3])  # the other lamps
    assert len(shop.search(like="p04", k=1000)) == len(SHOP) - 1


def test_like_an_item_can_be_filtered(shop):
    assert sorted(ids(shop.search(like="p04", where="category = 'lamp'"))) == ["p05", "p06"]


def test_an_unknown_item_is_refused(shop):
    with pytest.raises(RequestError, match=r"no item 'p044' in this index of 12\. Did you mean 'p04'"):
        shop.search(like="p044")


@pytest.mark.parametrize("question", [{}, {"text": " "}])
def test_an_empty_question_is_refused(shop, question):
    with pytest.raises(RequestError, match="Nothing was asked"):
        shop.search(**question)


def test_words_without_a_letter_find_nothing(shop):
    with pytest.raises(RequestError, match="Nothing in the question can be searched; this index finds by chars, image"):
        shop.search(text="!?")


@pytest.mark.parametrize("k", [0, -3])
def test_no_hits_cannot_be_asked_for(shop, k):
    with pytest.raises(RequestError, match=f"k is {k}; ask for at least 1 hit"):
        shop.search(text="lamp", k=k)


def test_wordings_of_one_question_are_one_hit(support):
    found = support.search(text="return an order, send it back", k=10)
    answers = {row[0]: row[2] for row in SUPPORT}
    assert found[0].row["topic"] == "returns"
    grouped = [answers[hit.id] for hit in found if answers[hit.id]]
    assert len(grouped) == len(set(grouped)) == 3


def test_like_a_question_leaves_its_other_wordings_out(support):
    assert not {"q01", "q02", "q03"} & set(ids(support.search(like="q01", k=10)))


def test_a_chinese_question_finds_the_chinese_wording(support):
    hit = support.search(text="怎么退货", k=1)[0]
    assert (hit.id, hit.row["language"], hit.image) == ("q06", "zh", None)


def test_an_index_of_another_encoder_is_refused(tmp_path):
    make_small_bundle(tmp_path / "bundle")
    facts = read_json(tmp_path / "bundle" / "application.json")
    own = facts["modalities"]["chars"]["digest"]
    facts["modalities"]["chars"]["digest"] = "e" * 64
    write_json(tmp_path / "bundle" / "application.json", facts)
    seal(tmp_path / "bundle")
    with pytest.raises(IntegrityError, match=f"in 'chars', to the encoder {own}, the query to {'e' * 64}"):
        Runtime.open(tmp_path / "bundle").search(text="lamp")


def test_a_release_without_an_index_says_so(tmp_path):
    make_small_bundle(tmp_path / "bundle")
    facts = read_json(tmp_path / "bundle" / "application.json")
    write_json(tmp_path / "bundle" / "application.json", {**facts, "index": None})
    seal(tmp_path / "bundle")
    with pytest.raises(RequestError, match=r"'shop' has no index\. Add a section `index`"):
        Runtime.open(tmp_path / "bundle").search(text="lamp")


def test_a_release_of_before_says_what_to_do(tmp_path):
    make_small_bundle(tmp_path / "bundle")
    (tmp_path / "bundle" / "index" / "index.json").unlink()
    seal(tmp_path / "bundle")
    with pytest.raises(IntegrityError, match=r"the release is of one before\. Run the scenario again"):
        Runtime.open(tmp_path / "bundle").search(text="lamp")
