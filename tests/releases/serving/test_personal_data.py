"""Requests of somebody who puts personal data wherever there is room: no file that is left behind holds any of it."""

import io
import json
import re
import struct

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from ingestion.personal_kinds.surroundings import fold
from polyloom.errors import RequestError
from releases.runtime import Runtime
from releases.serving.actions import Actions
from releases.serving.acts import index_state, perform
from releases.serving.batches import answered, work_of
from releases.serving.champion import Served as ServedRelease
from releases.serving.door import Door
from releases.serving.feedback_log import FeedbackLog
from releases.serving.intake import Intake
from releases.serving.limits import Limits
from releases.serving.prediction_id import new_prediction_id
from releases.serving.prediction_log import PredictionLog
from releases.serving.read_columns import ReadColumns
from releases.serving.schemas import ExplainRequest, SearchRequest
from releases.serving.served_batch import Member, ServedBatch
from tests.support.small_bundle import make_small_bundle, picture_of

SECRETS = [
    "ada.lovelace+shop@mail.example.co.uk", "zhang.wei@qq.com", "jürgen@müller.de", "zhang＠ｑｑ.com",
    "+1 415-555-2671", "(415) 555-2671", "+44 (0)20 7946 0958", "+49 30 901820", "+33 6 12 34 56 78", "+34 612 345 678",
    "13812345678", "138 1234 5678", "１３８１２３４５６７８", "138\u200b1234\u200b5678",
    "1 3 8 1 2 3 4 5 6 7 8", "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
    "010-62345678",
    "4111 1111 1111 1111", "4111-1111-1111-1111", "378282246310005", "６２１２３４５６７８９０１２３２",
    "11010519491231002X", "110105 19491231 002X", "１１０１０５１９４９１２３１００２Ｘ", "536-90-4399", "AB123456C",
    "DE89370400440532013000", "GB82 WEST 1234 5698 7654 32",
]  # fmt: skip
WORDS = {"536-90-4399": "SSN ", "AB123456C": "NINO "}
CLICKED = {"event": "what", "weight": {"view": 1}}


@pytest.fixture(scope="module")
def runtime(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    make_small_bundle(folder / "bundle", blobs=folder / "blobs")
    return Runtime.open(folder / "bundle", blobs=folder / "blobs")


class Served:
    """What a server does with a request, without the network."""

    def __init__(self, folder, runtime, mode):
        self.folder, self.runtime = folder, runtime
        self.intake = Intake(mode=mode, key=folder / "feedback" / "users.key")
        self.log = PredictionLog(folder / "predictions", sync_seconds=0.05)
        self.feedback = FeedbackLog(folder / "feedback")
        self.columns = ReadColumns.of(runtime.preparations.values())

    def run(self, action, scored, stored, options=None):
        answers = perform(self.runtime, action, scored, options)
        member = Member(prediction=new_prediction_id(), request="r1", place=0, rows=len(stored))
        assert self.log.add(
            ServedBatch(
                scenario="shop",
                release=self.runtime.digest,
                action=action,
                rows=stored,
                options=options or {},
                index=index_state(self.runtime, action),
                answers=self.intake.answer(answers),
                members=[member],
                exact=scored == stored,
            )
        )
        return self.log.find(member.prediction)

    def known(self, item):
        return item in set(self.runtime.searcher.snapshot.ids)


@pytest.fixture(params=["mask", "unmasked_unstored"])
def served(request, tmp_path, runtime):
    one = Served(tmp_path, runtime, request.param)
    yield one
    one.log.close()


def picture_that_tells(secret, file_format):
    """A picture with a secret in each place that its format has for one."""
    exif = Image.Exif()
    exif[0x013B] = secret
    exif.get_ifd(0x8825)[29] = secret
    told = PngInfo()
    told.add_itxt("Author", secret)
    xmp = f"<x:xmpmeta>{secret}</x:xmpmeta>".encode()
    given = {"PNG": {"pnginfo": told}, "JPEG": {"comment": secret.encode(), "xmp": xmp}, "WEBP": {"xmp": xmp}}
    content = io.BytesIO()
    Image.open(io.BytesIO(picture_of("p01"))).convert("RGB").save(
        content, format=file_format, exif=exif, **given[file_format]
    )
    own = content.getvalue()
    if file_format == "JPEG":
        owner = b"Photoshop 3.0\0" + secret.encode()
        own = own[:2] + b"\xff\xed" + struct.pack(">H", len(owner) + 2) + owner + own[2:]
    return own + secret.encode()


def left_behind(folder):
    """Every byte below a folder, and the same as text without what people put between digits."""
    content = b"\n".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())
    text = re.sub(r"\\u([0-9a-f]{4})", lambda found: chr(int(found[1], 16)), content.decode("utf-8", errors="ignore"))
    return content, bare(text)


def bare(text):
    return re.sub(r"[\s().\-\u200b+]", "", fold(text).lower())


def check_nothing_is_left(folder, secret):
    content, text = left_behind(folder)
    assert len(content) > 500
    assert secret.encode() not in content
    assert secret.encode("unicode_escape") not in content
    assert bare(secret) not in text


@pytest.mark.parametrize("secret", SECRETS)
def test_nothing_personal_is_left_behind(served, secret):
    words = f"a red mug for {WORDS.get(secret, '')}{secret} please"
    rows = [
        {"title": words, "title_zh": f"请联系{WORDS.get(secret, '')}{secret}谢谢", secret: secret, "owner": words},
        {"title": ["mug", *words.split()]},
        {"title": "mug", "picture": picture_that_tells(secret, "JPEG")},
        {"picture": picture_that_tells(secret, "PNG")},
        {"picture": picture_that_tells(secret, "WEBP")},
    ]
    taken = [served.intake.row(row, served.columns) for row in rows]
    predicted = served.run("predict", [one.scored for one in taken], [one.stored for one in taken], {"top": 3})
    served.run("explain", [taken[0].scored], [taken[0].stored])
    question = served.intake.text(words)
    served.run("search", [{"text": question.scored}], [{"text": question.stored}], {"k": 2})
    served.feedback.correct(predicted, served.runtime, row=2, task="category", label="lamp")
    for label in (secret, words):
        with pytest.raises(RequestError):
            served.feedback.correct(predicted, served.runtime, row=0, task="category", label=label)
    clicked = {"known": served.known, "columns": CLICKED}
    served.feedback.click(user=secret, item="p01", event="view", **clicked)
    for wrong in ({"item": secret, "event": "view"}, {"item": "p01", "event": secret}):
        with pytest.raises(RequestError):
            served.feedback.click(user=secret, **wrong, **clicked)
    assert served.intake.ids([secret, f"user_{secret}", "p01"], served.known).stored == ["[unknown]"] * 2 + ["p01"]
    turns = served.intake.texts([{"question": words, "answer": words, "cited": []}])
    assert secret not in str(turns.stored)
    assert secret not in served.intake.filter(f"title = '{WORDS.get(secret, '')}{secret}'").stored
    served.log.close()
    check_nothing_is_left(served.folder, secret)


@pytest.mark.parametrize("secret", SECRETS[:12])
def test_filters_and_answers_leave_nothing_either(served, secret):
    actions = Actions(
        served.runtime,
        Door(served.runtime, limits=Limits(), intake=served.intake),
        limits=Limits(),
        histories=lambda *_: [],
    )
    release = ServedRelease("shop", "1", served.runtime.digest, served.runtime, actions)
    asked = (
        actions.search(SearchRequest(text="mug", where=f"title = '{secret}' OR price < 20")),
        actions.explain(ExplainRequest(text=f"a mug for {secret}")),
    )
    for task in asked:
        (outcome,) = answered([work_of(release, task, request_id="r1", keeping=served.log)], keeping=served.log)
        assert outcome.prediction is not None
        logged = served.log.find(outcome.prediction)
        assert logged.batch.threads == served.runtime.threads
    assert not served.log.find(json.loads(outcome.body)["prediction"]).batch.exact or served.intake.mode == "mask"
    check_nothing_is_left(served.folder, secret)


def test_the_search_would_find_it(tmp_path):
    for place, secret in enumerate(SECRETS):
        (tmp_path / str(place)).mkdir()
        (tmp_path / str(place) / "log").write_text(f"{'x' * 600} {secret}", encoding="utf-8")
        with pytest.raises(AssertionError):
            check_nothing_is_left(tmp_path / str(place), secret)
