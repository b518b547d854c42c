from pathlib import Path

import pytest

from ingestion.readers.semeval import SemevalReader

GOOD = '7\t"the <e1>lid</e1> of a <e2>jar</e2>."\nComponent-Whole(e1,e2)\nComment: tight\n\n'


def read(folder: Path, text: str | bytes) -> list[tuple[int, object]]:
    path = folder / "blocks.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return [(row.number, row.refusal.reason if row.refusal else dict(row.values)) for row in SemevalReader(path).rows()]


def block(number: str, sentence: str, relation: str | None, comment: str | None) -> dict[str, object]:
    return {"id": number, "sentence": sentence, "relation": relation, "comment": comment}


def test_blocks_with_their_lines(tmp_path: Path) -> None:
    text = GOOD + '8\t"退款 "in" <e1>三天</e1>"\r\nOther\r\nComment:\r\n\r\n\n9\t"no end"\nOther'
    assert read(tmp_path, text) == [
        (1, block("7", "the <e1>lid</e1> of a <e2>jar</e2>.", "Component-Whole(e1,e2)", "tight")),
        (5, block("8", '退款 "in" <e1>三天</e1>', "Other", "")),
        (10, block("9", "no end", "Other", None)),
    ]


def test_a_file_without_relations(tmp_path: Path) -> None:
    assert read(tmp_path, '1\t"one"\n\n2\t"two"\n') == [
        (1, block("1", "one", None, None)),
        (3, block("2", "two", None, None)),
    ]


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ("8 the sentence\nOther\nComment:\n\n", "ragged_row"),
        ('8\t"a"\nOther\nComment:\n9\t"b"\nOther\nComment:\n\n', "ragged_row"),
        (b'8\t"caf\xe9"\nOther\nComment:\n\n', "bad_encoding"),
        ('8\t"a"\n' + "more\n" * 1000 + "\n", "ragged_row"),
    ],
)
def test_a_broken_block_is_refused_alone(tmp_path: Path, broken: str | bytes, reason: str) -> None:
    content = broken if isinstance(broken, bytes) else broken.encode()
    found = read(tmp_path, GOOD.encode() + content + GOOD.encode())
    assert [row if isinstance(row, str) else row["id"] for _, row in found] == ["7", reason, "7"]
