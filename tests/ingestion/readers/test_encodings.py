import codecs
import os
from pathlib import Path

import pytest

from ingestion.readers.encodings import detect

CHINESE = "标题,回复\n你好，我想买保险,谢谢您的咨询\n重疾险怎么赔？,请看合同条款\n"
TAIWANESE = "保險公司表示，這項產品的理賠條件與過去不同。\n請客戶在投保前詳細閱讀契約內容，謝謝。\n"
FRENCH = "L’été dernier, à Genève, les ingénieurs ont présenté leurs résultats — très élevés : 5 €.\n"
GERMAN = "Müller kauft Äpfel, Öl und Süßigkeiten für die Straße. Größe: 5 Fuß.\n"
JAPANESE = "これは日本語の文章です。テストのために書かれています。\n" * 5
KOREAN = "안녕하세요 오늘은 날씨가 좋습니다. 보험 상품을 추천해 주세요.\n" * 5
POLISH = "Zażółć gęślą jaźń, proszę bardzo. Wszystkie dzieci lubią łódki.\n" * 5
RUSSIAN = "Съешь ещё этих мягких французских булок, да выпей чаю.\n" * 5


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "text.csv"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("plain,letters\n", "utf-8"),
        (CHINESE, "utf-8"),
        ("", "utf-8"),
        (CHINESE, "gb18030"),
        (TAIWANESE, "gb18030"),
        (TAIWANESE, "big5"),
        (FRENCH, "cp1252"),
        (GERMAN, "latin-1"),
        ("a,b\nMüller,1\n", "latin-1"),
        (JAPANESE, "shift_jis"),
        (JAPANESE, "euc_jp"),
        (KOREAN, "cp949"),
        (POLISH, "cp1250"),
        (RUSSIAN, "cp1251"),
        (RUSSIAN, "koi8_r"),
        (CHINESE, "utf-16-le"),
        (CHINESE, "utf-16-be"),
        (FRENCH, "utf-16-le"),
        (FRENCH, "utf-16"),
        (CHINESE, "utf-16"),
        (CHINESE, "utf-32"),
        ("标题\n" * 40000, "gb18030"),
        (CHINESE.replace("\n", " ") * 5_000, "gb18030"),
    ],
)
def test_what_an_encoding_wrote_is_read_back(path: Path, text: str, encoding: str) -> None:
    path.write_bytes(text.encode(encoding))
    detected = detect(path)
    assert path.read_bytes().decode(detected.encoding) == text, detected
    assert "text.csv" in detected.why


def test_byte_order_marks(path: Path) -> None:
    path.write_bytes(codecs.BOM_UTF8 + CHINESE.encode())
    assert detect(path) == ("utf-8", "text.csv starts with the byte order mark of utf-8")


@pytest.mark.parametrize(("encoding", "damage"), [("utf-8", b"\xff\xfe"), ("gb18030", b"\xff")])
def test_a_damaged_line_does_not_change_the_encoding_of_the_others(path: Path, encoding: str, damage: bytes) -> None:
    path.write_bytes(CHINESE.encode(encoding) * 20 + damage + b",damaged\n" + CHINESE.encode(encoding))
    assert detect(path).encoding == encoding


def test_a_few_letters_far_behind_are_found(path: Path) -> None:
    path.write_bytes(b"plain,letters\n" * 200_000 + GERMAN.encode("latin-1"))
    assert detect(path).encoding == "latin-1"


def test_what_is_no_text_is_a_guess(path: Path) -> None:
    path.write_bytes(bytes(range(256)) * 40)
    assert detect(path) == ("cp1252", "text.csv is not UTF-8 and fits no encoding well; cp1252 is a guess")


def real(name: str) -> Path:
    folder = Path(os.environ.get("POLYLOOM_DATA", "")) / name
    if "POLYLOOM_DATA" not in os.environ or not folder.is_dir():
        pytest.skip(f"POLYLOOM_DATA names no folder with {name}")
    return folder


def test_real_chinese_insurance_questions() -> None:
    assert detect(real("baoxian_faq_zh") / "baoxianzhidao_filter.csv").encoding == "gb18030"


def test_real_chinese_in_other_encodings(path: Path) -> None:
    text = (real("baoxian_faq_zh") / "baoxianzhidao_filter.csv").read_text("gb18030")
    for encoding in ("utf-8", "utf-16", "utf-16-le", "gb18030"):
        path.write_bytes(text.encode(encoding))
        assert detect(path).encoding == encoding


def test_real_finance_news_in_western_encodings(path: Path) -> None:
    # This copy is UTF-8, whatever its README says: it was converted, and some letters were spoilt before.
    source = real("financial_phrasebank") / "Sentences_50Agree.txt"
    assert detect(source).encoding == "utf-8"
    text = source.read_text("utf-8")
    path.write_bytes(text.encode("latin-1", "replace"))
    assert detect(path).encoding == "latin-1"
    path.write_bytes(text.replace(" , ", " – ").encode("cp1252", "replace"))
    assert detect(path).encoding == "cp1252"
