"""Letters as numbers: capitals and accents, other scripts, long words."""

import numpy as np

from modalities.preparation.letters import LETTERS, letter_number, letter_numbers


def test_ascii_marks_have_numbers_of_their_own_from_one_on():
    numbers = [letter_number(chr(code)) for code in range(ord("!"), ord("~") + 1)]
    assert numbers == list(range(1, 95))


def test_an_accent_does_not_make_another_letter_but_a_capital_does():
    assert letter_number("É") == letter_number("E") != letter_number("e")


def test_other_scripts_share_the_numbers_of_their_classes():
    assert letter_number("Ж") == letter_number("Σ") != letter_number("ж")
    assert letter_number("中") == letter_number("文")
    kinds = {letter_number(letter) for letter in "Жж中٣，€\u200b"}
    assert len(kinds) == 7
    assert 94 < min(kinds) <= max(kinds) < LETTERS


def test_words_are_padded_with_zeros_and_long_ones_keep_both_ends():
    numbers = letter_numbers(["ab", "abcdefg", ""], letters=5)
    assert numbers.dtype == np.int64
    assert numbers.tolist()[0] == [letter_number("a"), letter_number("b"), 0, 0, 0]
    assert numbers.tolist()[1] == [letter_number(letter) for letter in "abcfg"]
    assert numbers.tolist()[2] == [0] * 5
    assert letter_numbers([], letters=5).shape == (0, 5)
