"""From scores of words to entities and figures, by hand."""

import json

import numpy as np
import pytest

from heads.entity_metrics import f1
from heads.token_decoding import TokenClassificationDecoder

DECODER = TokenClassificationDecoder(types=("LOC", "PER"))
SURE = 20.0


def outputs(*sentences, decoder=DECODER, sure=SURE, width=None):
    """Outputs that say these tags; `_` is a word without a score."""
    rows = [sentence.split() for sentence in sentences]
    width = width or max(map(len, rows))
    logits = np.zeros((len(rows), width, len(decoder.tags)), dtype=np.float32)
    labelled = np.zeros((len(rows), width), dtype=np.float32)
    for row, tags in enumerate(rows):
        for word, tag in enumerate(tags):
            if tag != "_":
                logits[row, word, decoder.tags.index(tag)] = sure
                labelled[row, word] = 1.0
    return {"logits": logits, "labelled": labelled}


def column(*sentences):
    return [None if sentence is None else sentence.split() for sentence in sentences]


def parts(answer):
    return [(part.label, part.text, part.start, part.end) for part in answer.parts]


def test_types_come_from_the_column_in_whatever_scheme():
    decoder = TokenClassificationDecoder.fit(column("I-PER O", None, "S-LOC", "O"), scheme="BIOES")
    assert decoder.types == ("LOC", "PER")
    assert decoder.tags[:3] == ("O", "B-LOC", "I-LOC")


def test_truth_is_padded_canonical_and_knows_what_it_does_not_know():
    truth = DECODER.encode(column("I-PER I-PER O B-LOC", None, "B-ORG O B-PER"))
    assert truth["tags"].tolist() == [[3, 4, 0, 1], [-1] * 4, [-1, 0, 3, -1]]
    assert truth["entities"].tolist() == [2, 0, 2]
    assert {array.dtype for array in truth.values()} == {np.dtype(np.int64)}


def test_entities_have_the_characters_of_the_text_or_of_the_joined_words():
    told = outputs("B-PER I-PER O B-LOC O", "O B-LOC I-LOC")
    text, words = DECODER.answers(told, ["Ada  Byron left London.", ["in", "New", "York"]])
    assert parts(text) == [("PER", "Ada  Byron", 0, 10), ("LOC", "London", 16, 22)]
    assert parts(words) == [("LOC", "New York", 3, 11)]
    assert text.label == "PER, LOC"
    assert text.probability == pytest.approx(1.0, abs=1e-6)
    assert text.probabilities == pytest.approx({"PER": 1.0, "LOC": 1.0}, abs=1e-6)


def test_chinese_text_has_its_places_too():
    told = outputs("B-PER I-PER O B-LOC I-LOC O")
    (answer,) = DECODER.answers(told, ["王芳在北京。"])
    assert parts(answer) == [("PER", "王芳", 0, 2), ("LOC", "北京", 3, 5)]


def test_nothing_found_is_said():
    (answer,) = DECODER.answers(outputs("O O"), [["no", "names"]])
    assert (answer.label, answer.probabilities, answer.parts) == ("none", {}, ())


def test_top_keeps_the_surest_types():
    told = outputs("B-PER O B-LOC")
    told["logits"][0, 2, 1] = 3.0
    (answer,) = DECODER.answers(told, [["Ada", "in", "Rome"]], top=1)
    assert list(answer.probabilities) == ["PER"]
    assert len(answer.parts) == 2


def test_an_inside_without_a_beginning_is_never_told():
    told = outputs("O I-PER", sure=1.0)
    told["logits"][0, 1, 3] = 0.9
    (answer,) = DECODER.answers(told, [["said", "Ada"]])
    assert parts(answer) == [("PER", "Ada", 5, 8)]


def test_words_beyond_the_encoders_reach_are_outside():
    told = outputs("B-PER I-PER _ _", "B-LOC")
    first, second = DECODER.answers(told, [["Ada", "Byron", "of", "Rome"], ["Rome"]])
    assert parts(first) == [("PER", "Ada Byron", 0, 9)]
    assert parts(second) == [("LOC", "Rome", 0, 4)]


def test_an_entitys_probability_shares_out_one_half():
    told = outputs("O")
    told["logits"][:] = 0.0
    told["logits"][0, 0, [2, 4]] = -99.0
    told["logits"][0, 0, 3] = np.log(2.0)
    # O and B-LOC weigh 1, B-PER 2, and no tag may be I.
    (answer,) = DECODER.answers(told, [["Paris"]])
    assert answer.parts[0].label == "PER"
    assert answer.parts[0].probability == answer.probability == pytest.approx(0.5)


TRUTH = column("B-PER I-PER O B-LOC", "B-LOC", "O O", None, "B-ORG B-PER")
TOLD = outputs("B-PER I-PER O O", "B-PER", "O O", "B-PER", "O B-PER")


def test_counts_of_rows_are_right_predicted_true():
    truth, told = DECODER.comparable(TOLD, DECODER.encode(TRUTH))
    assert told.tolist() == [[1, 1, 2], [0, 1, 1], [0, 0, 0], [0, 0, 0], [1, 1, 2]]
    assert truth.tolist() == [[2, 2, 2], [1, 1, 1], [0, 0, 0], [0, 0, 0], [2, 2, 2]]
    assert f1(truth, told) == pytest.approx(2 * 2 / (3 + 5))
    assert next(iter(DECODER.scorers)) == "f1"


def test_truth_may_be_wider_than_the_outputs_of_a_batch():
    truth = {name: array[1:3] for name, array in DECODER.encode(TRUTH).items()}
    assert truth["tags"].shape[1] > 2
    _, told = DECODER.comparable({name: array[1:3, :2] for name, array in TOLD.items()}, truth)
    assert told.tolist() == [[0, 1, 1], [0, 0, 0]]


def test_figures_are_those_worked_out_by_hand():
    figures = DECODER.measure(TOLD, DECODER.encode(TRUTH))
    assert figures["precision"] == pytest.approx(2 / 3)
    assert figures["recall"] == pytest.approx(2 / 5)
    assert figures["f1"] == pytest.approx(4 / 8)
    assert figures["f1_LOC"] == 0.0
    assert figures["f1_PER"] == pytest.approx(2 * 2 / (3 + 2))
    # 8 words have a known tag; London of the first row and Rome of the second are wrong.
    assert figures["word_accuracy"] == pytest.approx(6 / 8)
    # All three entities are told for sure, and two are right.
    assert figures["ece"] == pytest.approx(1 / 3, abs=1e-6)
    assert (figures["entities"], figures["temperature"]) == (5, 1.0)


def test_confusions_pair_what_stands_on_the_same_words():
    true, told = DECODER.confusions(TOLD, DECODER.encode(TRUTH))
    # LOC, PER, none: the person found twice, a place called a person, a place missed; a row without a target is silent.
    assert sorted(zip(true.tolist(), told.tolist(), strict=True)) == [(0, 1), (0, 2), (1, 1), (1, 1)]


def test_the_temperature_learns_from_held_out_words_alone():
    # All four words say B-PER for nearly sure, yet only three are right: far too sure.
    told = outputs("B-PER B-PER B-PER B-PER _", "B-PER", sure=8.0)
    truth = DECODER.encode(column("B-PER B-PER B-PER O B-LOC", None))
    calibrated = DECODER.calibrate(told, truth)
    assert calibrated.temperature > 1.5
    assert DECODER.calibrate(told, DECODER.encode([None, None])).temperature == 1.0
    assert calibrated.comparable(told, truth)[1].tolist() == DECODER.comparable(told, truth)[1].tolist()


def test_json_gives_the_decoder_back():
    decoder = TokenClassificationDecoder(types=("A",), scheme="BIOES", temperature=1.5)
    written = json.loads(json.dumps(decoder.to_json()))
    assert written["kind"] == "token_classification"
    assert TokenClassificationDecoder.from_json(written) == decoder


def test_no_rows_have_no_figures_but_zero():
    empty = outputs("O")
    empty = {name: array[:0] for name, array in empty.items()}
    figures = DECODER.measure(empty, DECODER.encode([]))
    assert figures["f1"] == figures["ece"] == figures["entities"] == 0.0
    assert DECODER.answers(empty, []) == []
