"""Personal data: 70 ways to write it that must be found, 70 near misses that must not, and masking."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.personal import KINDS, Personal, find
from polyloom.errors import RequestError

# `<` and `>` stand around what must be found, and nothing else may be.
PERSONAL = [
    ("mail", "write to <anna.smith@example.com> please"),
    ("mail", "<anna+shop@mail.example.co.uk>, thanks"),
    ("mail", "我的邮箱是<zhang.wei@qq.com>谢谢"),
    ("mail", "邮箱:<wei_zhang88@163.com>。"),
    ("mail", "联系<LI@EXAMPLE.COM.CN>或者来电"),
    ("mail", "mailto:<bob-1@sub-domain.example.org>?subject=hi"),
    ("mail", "(<o'neill@example.ie>)"),
    ("mail", "['<ada@example.org>']"),
    ("mail", "<jürgen@müller.de> schrieb"),
    ("mail", "我的邮箱<zhang＠ｑｑ.com>请回复"),
    ("mail", "to=<a@b.io>;cc=none"),
    ("mail", "a trailing dot: <me@example.net>."),
    ("phone", "call <+1 415-555-2671> now"),
    ("phone", "call <(415) 555-2671>"),
    ("phone", "my number <415-555-2671> since May"),
    ("phone", "my number is <415.555.2671>."),
    ("phone", "<1-415-555-2671> after six"),
    ("phone", "phone: <4155552671>"),
    ("phone", "reach me at <+44 20 7946 0958>"),
    ("phone", "reach me at <+44 (0)20 7946 0958> today"),
    ("phone", "London <020 7946 0958>"),
    ("phone", "mobile <07911 123456>"),
    ("phone", "Rufen Sie <+49 30 901820> an"),
    ("phone", "Büro <030 / 901820>"),
    ("phone", "appelez le <06 12 34 56 78>"),
    ("phone", "<0033 6 12 34 56 78> le soir"),
    ("phone", "llame al <+34 612 345 678>"),
    ("phone", "whatsapp me on <612345678>"),
    ("phone", "我的手机号是<13812345678>请联系我"),
    ("phone", "手机<138 1234 5678>谢谢"),
    ("phone", "手机：<138-1234-5678>"),
    ("phone", "打<+86 138 1234 5678>给我"),
    ("phone", "打<8613812345678>给我"),
    ("phone", "打<86-13812345678>给我"),
    ("phone", "全角<１３８１２３４５６７８>也要找到"),
    ("phone", "全角<１３８－１２３４－５６７８>也要"),
    ("phone", "零宽<138\u200b1234\u200b5678>也要"),
    ("phone", "座机<010-62345678>转总机"),
    ("phone", "座机<（021）62345678>"),
    ("phone", "办公室<0755-8812 3456>"),
    ("phone", "客服<400-820-8820>"),
    ("phone", "家里电话：<82345678>"),
    ("phone", "two: <13812345678> <13912345678>"),
    ("phone", "<1 3 8 1 2 3 4 5 6 7 8> is me"),
    ("phone", "加我<1-3-8-1-2-3-4-5-6-7-8>"),
    ("card", "<4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1> is it"),
    ("phone", "微信同号<19912345678>，随时"),
    ("card", "card <4111 1111 1111 1111> exp 12/27"),
    ("card", "card <4111-1111-1111-1111>"),
    ("card", "card <4111111111111111>"),
    ("card", "pay with <5555 5555 5555 4444>."),
    ("card", "amex <3782 822463 10005>"),
    ("card", "amex <378282246310005>"),
    ("card", "discover <6011111111111117>"),
    ("card", "jcb <3530111333300000>"),
    ("card", "diners <3056 930902 5904>"),
    ("card", "mastercard <2223003122003222>"),
    ("card", "卡号<6212345678901232>请查询"),
    ("card", "银行卡<6212 3456 7890 1232>被锁"),
    ("card", "银行卡<６２１２３４５６７８９０１２３２>被锁"),
    ("card", "储蓄卡<6212345678900000003>丢了"),
    ("card", "<4012888888881881>是我的卡"),
    ("card", "card <4111 1111 1111 1111> 123"),
    ("card", "card no. <4111.1111.1111.1111>, visa"),
    ("identity", "身份证号<11010519491231002X>请核对"),
    ("identity", "身份证<11010519491231002x>"),
    ("identity", "身份证：<110105 19491231 002X>。"),
    ("identity", "身份证<１１０１０５１９４９１２３１００２Ｘ>"),
    ("identity", "证件<440308199901101512>"),
    ("identity", "SSN <536-90-4399>"),
    ("identity", "my social security number: <536904399>"),
    ("identity", "ssn <536 90 4399>,"),
    ("identity", "NI number <AB 12 34 56 C>"),
    ("identity", "NINO <AB123456C>"),
    ("identity", "Steuer-ID <86 095 742 719>"),
    ("identity", "Steuer-IdNr.: <86095742719>"),
    ("identity", "DNI <12345678Z>"),
    ("identity", "DNI <12345678-Z>"),
    ("identity", "NIE <X1234567L>"),
    ("identity", "codice fiscale <RSSMRA85T10A562S>"),
    ("identity", "cf <rssmra85t10a562s>,"),
    ("identity", "IBAN <GB82 WEST 1234 5698 7654 32> please"),
    ("identity", "<DE89370400440532013000>"),
    ("identity", "iban:<FR14 2004 1010 0505 0001 3M02 606>."),
    ("identity", "转到<DE89 3704 0044 0532 0130 00>账户"),
]

NEAR_MISSES = [
    "no data here at all",
    "follow @polyloom on the net",
    "3 @ 5.00 each, 4 @ 6.50",
    "user@localhost",
    "icon@2x.png",
    "react@18.2.0",
    "git@github.com:polyloom/code.git",
    "see foo@bar",
    "@ example.com",
    "我在@北京等你",
    "order 13812345678",
    "订单号13812345678什么时候发货",
    "订单编号：202103151234567890",
    "快递单号 773012345678901",
    "the invoice no. 4155552671",
    "price 13812345678元",
    "共计13912345678元整",
    "¥13800138000",
    "USD 4155552671.00",
    "1 2 3 4 5 6 7 8 9 10 11 12 13",
    "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 2",
    "1 3 8 1 2 3 4 5 6 7 8 9",
    "2021-03-15 14:30:00",
    "20210315143000",
    "2021年03月15日14时30分",
    "on 15.03.2021 and 16.03.2021",
    "01.02.2003 04.05.2006",
    "1999-2005, 2006-2010",
    "1609459200",
    "1609459200000",
    "timestamp 1609459200.123456",
    "3.14159265358979323846",
    "0.4111111111111111",
    "12345678",
    "1234567",
    "12345678901234567890123",
    "11812345678",
    "12812345678不是手机号",
    "138123456789",
    "1381234567",
    "192.168.100.101",
    "10.0.0.1:8080",
    "version 10.15.7.1234",
    "ISBN 978-3-16-148410-0",
    "ISBN 9783161484100",
    "4111 1111 1111 1112",
    "4111111111111112",
    "1111222233334444",
    "9111 1111 1111 1111",
    "order 4111111111111111",
    "41111111111111111111",
    "6212345678901233",
    "a4111111111111111f",
    "流水号6212345678901232",
    "110105194912310021",
    "110105194913310020",
    "990105194912310029",
    "part no. 536-90-4399",
    "000-12-3456",
    "666-12-3456",
    "900-12-3456",
    "536-00-4399",
    "536-90-0000",
    "GB123456C",
    "BG 12 34 56 A",
    "DA123456C",
    "QQ 12 34 56 C",
    "AB123456E",
    "86 095 742 718",
    "86095742719",
    "12345678A",
    "X1234567A",
    "GB82 WEST 1234 5698 7654 33",
    "DE89370400440532013001",
    "RSSMRA85T10A562T",
    "call me at 10:30 on 5/6",
    "text 12345 to win",
    "电话费100元",
    "我有3张卡，尾号1234",
    "满300减50，还有2000积分",
    "1,234,567,890.00",
    "保费5000-10000元，保额100-200万",
    "第20210315-001号",
    "3,600 x 4,800 pixels, 17.28 megapixels",
    "sizes 36 37 38 39 40 41 42",
    "555-1234",
    "70-75-80-85-90",
]


def spans(text: str) -> tuple[str, list[tuple[int, int]]]:
    plain, found = "", []
    for character in text:
        if character == "<":
            found.append((len(plain), -1))
        elif character == ">":
            found[-1] = (found[-1][0], len(plain))
        else:
            plain += character
    return plain, found


@pytest.mark.parametrize(("kind", "marked"), PERSONAL)
def test_what_is_personal_is_found_where_it_stands(kind: str, marked: str) -> None:
    text, expected = spans(marked)
    assert [(one.kind, one.start, one.end) for one in find(text)] == [(kind, *span) for span in expected]


@pytest.mark.parametrize("text", NEAR_MISSES)
def test_near_misses_are_left_alone(text: str) -> None:
    assert [text[one.start : one.end] for one in find(text)] == []


def test_the_lists_are_long_enough() -> None:
    assert len(PERSONAL) >= 60
    assert len(NEAR_MISSES) >= 60


def test_a_column_is_masked_and_counted() -> None:
    column = pa.array(
        ["a@b.io and 13812345678", None, "nothing", "卡4111111111111111，身份证11010519491231002X", "x@y.org"]
    )
    masked, counts = Personal().mask(column)
    assert masked.to_pylist() == ["[mail] and [phone]", None, "nothing", "卡[card]，身份证[identity]", "[mail]"]
    assert counts == {"mail": 2, "phone": 1, "card": 1, "identity": 1}


def test_only_the_named_kinds_are_masked() -> None:
    masked, counts = Personal(mask=["phone"]).mask(pa.array(["a@b.io and 13812345678"]))
    assert (masked.to_pylist(), counts) == (["a@b.io and [phone]"], {"phone": 1})


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(RequestError, match=r"personal.mask: 'mails' is no kind.*card, identity. Did you mean 'mail'\?"):
        Personal(mask=["mails"])


PIECES = st.one_of(
    st.sampled_from([spans(text)[0] for _, text in PERSONAL]),
    st.sampled_from(NEAR_MISSES),
    st.text(alphabet="0123456789+-() .@ab电话，", max_size=25),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=5), st.sampled_from(["", " ", ",", "-", "电话"]), st.sets(st.sampled_from(KINDS)))
def test_masking_twice_changes_nothing(pieces: list[str], between: str, kinds: set[str]) -> None:
    once, _ = Personal(mask=kinds).mask(pa.array([between.join(pieces)]))
    twice, counts = Personal(mask=kinds).mask(once)
    assert (twice, counts) == (once, {})


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.characters(exclude_categories=["Nd", "Cs"], exclude_characters="@＠")))
def test_a_text_without_digits_and_at_sign_is_never_touched(text: str) -> None:
    assert find(text) == []


def test_texts_with_nothing_personal_are_not_even_copied() -> None:
    column = pa.array(["how do I change the pin of my card", "请问我的银行卡丢失了应该怎么办"] * 50_000)
    masked, counts = Personal().mask(column)
    assert counts == {}
    assert masked is column
