import pytest

from heads.answer_text import answer_words, exact_match, word_f1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The U.S. Army", ["us", "army"]),
        ("  an  apple,\n(red) ", ["apple", "red"]),
        ("Anna's theory", ["annas", "theory"]),
        ("the", []),
        ("a-b", ["ab"]),  # punctuation goes first, as in SQuAD's scorer: no article is left
        ("—5 €", ["—5", "€"]),
        ("退款，3天内！", ["退", "款", "3", "天", "内"]),
        ("The 北京 Zoo", ["the", "北", "京", "zoo"]),
        ("", []),
    ],
)
def test_words_by_hand(text, words):
    assert answer_words(text) == words


@pytest.mark.parametrize(
    ("predicted", "accepted", "exact", "f1"),
    [
        ("the Denver Broncos", ["Denver Broncos"], 1.0, 1.0),
        ("Broncos", ["Denver Broncos"], 0.0, 2 / 3),
        ("Broncos", ["Denver Broncos", "Broncos!"], 1.0, 1.0),
        ("red red hat", ["red hat hat"], 0.0, 2 / 3),  # two words in common, counted as often as both have them
        ("blue", ["red"], 0.0, 0.0),
        ("", ["red"], 0.0, 0.0),
        ("", [], 1.0, 1.0),
        ("red", [], 0.0, 0.0),
        ("", ["the"], 1.0, 1.0),  # an accepted answer without a word is none (SQuAD 2.0)
        ("三天内", ["三天"], 0.0, 0.8),
    ],
)
def test_scores_by_hand(predicted, accepted, exact, f1):
    assert exact_match(predicted, accepted) == exact
    assert word_f1(predicted, accepted) == pytest.approx(f1)
