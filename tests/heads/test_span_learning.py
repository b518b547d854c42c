"""The span head and its decoder on a task whose answers are known: the colour that a text names, if it names one."""

import numpy as np
import torch
from tokenizers import Tokenizer

from heads.span import SpanHead
from heads.span_decoding import SpanDecoder
from heads.span_target import SpanTarget
from modalities.preparation.pair import Pair, PairPreparation
from tests.support.tiny_models import SPECIAL, WORDS, write_tokenizer

COLOURS = ("red", "blue")
REST = [word for word in WORDS if word not in COLOURS and word.isalpha()]


def texts(count, *, without, seed):
    """Texts of ten words, a share of them without a colour, and what a decoder takes for their truth."""
    random = np.random.default_rng(seed)
    rows = []
    for _ in range(count):
        words = random.choice(REST, size=10).tolist()
        colour = None if random.random() < without else str(random.choice(COLOURS))
        if colour:
            words[int(random.integers(10))] = colour
        context = " ".join(words)
        rows.append(SpanTarget(context, [colour] if colour else []))
    return rows


def learned(tmp_path, *, without, max_tokens=32):
    """Exact match on new texts after fitting the head over random embeddings of the tokens."""
    write_tokenizer(tmp_path)
    tokenizer = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    prepare = PairPreparation(tokenizer=tokenizer, columns=("q", "c"), max_tokens=max_tokens, padding_id=0)
    torch.manual_seed(0)
    embeddings = torch.nn.Embedding(len(SPECIAL) + len(WORDS), 32).requires_grad_(requires_grad=False)
    head = SpanHead(dim=32)
    optimizer = torch.optim.Adam(head.parameters(), lr=0.05)
    decoder = SpanDecoder()

    def outputs(rows):
        arrays = {name: torch.from_numpy(array) for name, array in prepare([Pair("?", row[0]) for row in rows]).items()}
        return head(embeddings(arrays["input_ids"]), arrays)

    train = texts(64, without=without, seed=0)
    truth = {name: torch.from_numpy(array) for name, array in decoder.encode(train).items()}
    for _ in range(60):
        optimizer.zero_grad()
        head.loss(outputs(train), truth).backward()
        optimizer.step()
    head.eval()
    with torch.inference_mode():
        held_out, test = (
            (rows, {name: tensor.numpy() for name, tensor in outputs(rows).items()})
            for rows in (texts(64, without=without, seed=1), texts(64, without=without, seed=2))
        )
    decoder = decoder.calibrate(held_out[1], decoder.encode(held_out[0]))
    return decoder.measure(test[1], decoder.encode(test[0]))


def test_every_answer_is_found(tmp_path):
    assert learned(tmp_path, without=0.0)["exact_match"] == 1.0


def test_every_missing_answer_is_noticed(tmp_path):
    figures = learned(tmp_path, without=0.4)
    assert figures["exact_match"] == 1.0
    assert figures["unanswerable_accuracy"] == 1.0


def test_windows_lose_no_answer(tmp_path):
    figures = learned(tmp_path, without=0.4, max_tokens=9)
    assert figures["exact_match"] == 1.0
