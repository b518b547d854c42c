import numpy as np

from heads.packed_text import pack_lists, pack_texts, unpack_lists, unpack_texts


def test_texts_come_back():
    texts = ["", "a hat", "退款 é", "a longer text"]
    packed = pack_texts(texts)
    assert packed.dtype == np.uint8
    assert packed.shape == (4, 13)
    assert unpack_texts(packed) == texts
    assert unpack_texts(packed[[3, 0]]) == [texts[3], ""]


def test_lists_come_back():
    lists = [[], ["one"], ["two", "退款"]]
    assert unpack_lists(pack_lists(lists)) == lists


def test_nothing_and_what_no_text_holds():
    assert unpack_texts(pack_texts([])) == []
    assert unpack_texts(pack_texts(["a\0b", "\ud800"])) == ["a b", "?"]


def test_wider_padding_changes_nothing():
    packed = pack_texts(["ab", "c"])
    assert unpack_texts(np.pad(packed, ((0, 0), (0, 5)))) == ["ab", "c"]
