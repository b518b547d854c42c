"""Access tokens: what is kept of them, who is told what, and changes by several processes at once."""

import json
import random
import re
import signal
import string
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyloom.errors import IntegrityError, RequestError
from releases.serving.refusal import Refused
from releases.serving.token import SCOPES
from releases.serving.tokens import TokenStore

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MAKING = """
import sys
from pathlib import Path
from releases.serving.tokens import TokenStore
store = TokenStore(Path(sys.argv[1]))
for number in range(int(sys.argv[2])):
    print(store.create(f"maker {number}", scopes=["ask"]).secret, flush=True)
"""


class Clock:
    """The date, which a test moves."""

    def __init__(self):
        self.now = NOW

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store(tmp_path, clock):
    return TokenStore(tmp_path / "serving" / "tokens.json", now=clock)


def refused(store, secret):
    with pytest.raises(Refused) as caught:
        store.check(secret)
    assert caught.value.status == 401
    assert caught.value.headers == {"WWW-Authenticate": 'Bearer error="invalid_token"'}
    return caught.value


def test_a_secret_opens_what_its_token_is_for(store):
    issued = store.create("till 3", scopes=["search", "predict"], scenarios=["shop", "shop"], per_minute=60)
    assert re.fullmatch(r"plm_[0-9a-f]{8}_[A-Za-z0-9_-]{43}", issued.secret)
    found = store.check(issued.secret)
    assert found == issued.token
    assert (found.name, found.scopes, found.scenarios, found.per_minute) == (
        "till 3",
        ("predict", "search"),
        ("shop",),
        60,
    )
    assert found.expires == NOW + timedelta(days=90)


def test_nothing_of_a_secret_is_kept_or_shown(store):
    issued = store.create("one", scopes=["ask"])
    rotated = store.rotate(issued.token.id)
    everything = "".join(path.read_text() for path in store.path.parent.iterdir())
    shown = f"{issued} {rotated} {store.all()} {rotated.token.known()} {refused(store, issued.secret + 'x').detail}"
    for secret in (issued.secret, rotated.secret):
        assert secret.rpartition("_")[2][:8] not in everything + shown
    assert rotated.token.digest in everything
    assert rotated.token.digest not in shown


def test_the_file_is_its_owners_alone(store):
    store.create("one", scopes=["ask"])
    assert store.path.stat().st_mode & 0o777 == 0o600
    assert store.path.parent.stat().st_mode & 0o777 == 0o700


def test_whoever_guesses_learns_nothing(store, clock):
    known = store.create("one", scopes=["ask"]).token
    revoked = store.create("two", scopes=["ask"]).token
    store.revoke(revoked.id)
    guesses = [f"plm_{token_id}_{'A' * 43}" for token_id in (known.id, revoked.id, "00000000")]
    told = {(refusal.reason, refusal.detail) for refusal in (refused(store, guess) for guess in guesses)}
    clock.now += timedelta(days=91)
    told |= {(refusal.reason, refusal.detail) for refusal in (refused(store, guess) for guess in guesses)}
    assert told == {("invalid_token", "This access token is not known here.")}


@pytest.mark.parametrize(
    "secret", ["", "plm_", "plm_0123abcd_", "é" * 60, "plm_0123ABCD_" + "a" * 43, "\x00", "a" * 10**6]
)
def test_what_is_no_secret_is_refused(store, secret):
    store.create("one", scopes=["ask"])
    assert refused(store, secret).reason == "invalid_token"


LIKE_ONE = st.builds(
    "plm_{}_{}".format,
    st.text("0123456789abcdef", min_size=8, max_size=8),
    st.text(string.ascii_letters + string.digits + "-_", min_size=42, max_size=44),
)


@given(text=st.text(max_size=80) | LIKE_ONE)
def test_no_other_text_opens_anything(tmp_path_factory, text):
    store = TokenStore(tmp_path_factory.getbasetemp() / "guessed" / "tokens.json")
    if not store.path.exists():
        store.create("one", scopes=["ask"])
    assert refused(store, text).reason == "invalid_token"


def test_a_secret_with_one_character_changed_opens_nothing(store):
    secret = store.create("one", scopes=["ask"]).secret
    for place in range(len(secret)):
        other = secret[:place] + ("A" if secret[place] != "A" else "B") + secret[place + 1 :]
        assert refused(store, other).reason == "invalid_token"


def test_an_expired_token_is_refused_and_its_holder_is_told(store, clock):
    secret = store.create("one", scopes=["ask"], days=1).secret
    clock.now += timedelta(hours=23)
    store.check(secret)
    clock.now += timedelta(hours=1)
    assert refused(store, secret).reason == "token_expired"
    assert refused(store, secret).detail.startswith("This access token is expired. Ask whoever runs this server")


def test_a_token_may_count_for_good(store, clock):
    secret = store.create("one", scopes=["ask"], days=None).secret
    clock.now += timedelta(days=20_000)
    assert store.check(secret).expires is None


def test_a_revoked_token_is_refused_by_a_server_that_has_read_it_before(store):
    issued = store.create("one", scopes=["ask"])
    server = TokenStore(store.path, now=store._now)
    server.check(issued.secret)
    assert store.revoke(issued.token.id).revoked == NOW
    assert refused(server, issued.secret).reason == "token_revoked"


def test_revoking_twice_keeps_the_time_of_the_first(store, clock):
    token = store.create("one", scopes=["ask"]).token
    store.revoke(token.id)
    clock.now += timedelta(days=1)
    assert store.revoke(token.id).revoked == NOW
    assert [one.state(clock.now) for one in store.all()] == ["revoked"]


def test_both_secrets_count_until_the_grace_ends(store, clock):
    issued = store.create("one", scopes=["ask"])
    rotated = store.rotate(issued.token.id, grace_hours=24)
    assert store.check(issued.secret).id == store.check(rotated.secret).id
    assert rotated.token.state(clock.now) == "rotating"
    clock.now += timedelta(hours=24)
    refusal = refused(store, issued.secret)
    assert (refusal.reason, refusal.detail) == ("token_expired", "This access token was replaced by a newer one.")
    assert store.check(rotated.secret).state(clock.now) == "active"


def test_a_rotation_begins_the_time_anew_but_not_for_the_secret_before(store, clock):
    issued = store.create("one", scopes=["ask"], days=10)
    clock.now += timedelta(days=9, hours=23)
    rotated = store.rotate(issued.token.id, grace_hours=24)
    clock.now += timedelta(hours=1)
    refused(store, issued.secret)
    clock.now += timedelta(days=9)
    store.check(rotated.secret)


def test_without_grace_and_with_a_second_rotation_the_first_secret_ends_at_once(store):
    issued = store.create("one", scopes=["ask"])
    second = store.rotate(issued.token.id, grace_hours=0)
    assert refused(store, issued.secret).reason == "token_expired"
    store.rotate(issued.token.id)
    assert refused(store, issued.secret).reason == "invalid_token"
    store.check(second.secret)


def test_revoking_ends_both_secrets(store):
    issued = store.create("one", scopes=["ask"])
    rotated = store.rotate(issued.token.id)
    store.revoke(issued.token.id)
    assert {refused(store, secret).reason for secret in (issued.secret, rotated.secret)} == {"token_revoked"}


def test_what_is_over_gets_no_new_secret(store, clock):
    revoked, expired = (store.create("one", scopes=["ask"]).token.id for _ in range(2))
    store.revoke(revoked)
    with pytest.raises(
        RequestError, match=r"\(one\) is revoked and gets no new secret. Make another: 'polyloom tokens"
    ):
        store.rotate(revoked)
    clock.now += timedelta(days=90)
    with pytest.raises(RequestError, match="is expired and gets no new secret"):
        store.rotate(expired)


@pytest.mark.parametrize(("wish", "message"), [
    ({"name": " "}, "1 to 64 printable characters; 1 came in"),
    ({"name": "a" * 65}, "65 came in"),
    ({"name": "a\nb"}, "printable"),
    ({"scopes": []}, "A token without a scope opens nothing. Give one or more of predict, search"),
    ({"scopes": ["serch"]}, "'serch' is no scope; there are predict.*Did you mean 'search'"),
    ({"scenarios": [""]}, "A scenario's name is empty or not printable"),
    ({"per_minute": 0}, "0 requests a minute came in; at least 1"),
    ({"days": 0}, "0 days came in; a token counts for 1 to 3650, or for good"),
    ({"days": 10**9}, "a token counts for 1 to 3650"),
])  # fmt: skip
def test_wishes_that_cannot_be(store, wish, message):
    with pytest.raises(RequestError, match=message):
        store.create(**{"name": "one", "scopes": ["ask"], **wish})
    assert store.all() == ()


@pytest.mark.parametrize("hours", [-1, float("nan"), float("inf")])
def test_a_grace_that_cannot_be(store, hours):
    token = store.create("one", scopes=["ask"]).token
    with pytest.raises(RequestError, match=r"hours of grace came in; 0 ends the secret before at once"):
        store.rotate(token.id, grace_hours=hours)


def test_an_unknown_id_is_told_with_the_nearest_and_never_as_a_whole_secret(store):
    issued = store.create("one", scopes=["ask"])
    near = issued.token.id[:-1] + "x"
    with pytest.raises(RequestError, match=rf"'{near}' is no token here. Did you mean '{issued.token.id}'\? 'polyloom"):
        store.revoke(near)
    with pytest.raises(RequestError, match=r"is no token here") as caught:
        store.rotate(issued.secret)
    assert issued.secret.rpartition("_")[2] not in str(caught.value)


@pytest.mark.parametrize("damage", [
    lambda text: "", lambda text: text[: len(text) // 2], lambda text: "[]", lambda text: text.replace("ask", "a\x00"),
    lambda text: text.replace('"format": 1', '"format": 2'), lambda text: text.replace("2026-01-01T", "yesterday "),
    lambda text: text.replace("00:00:00Z", "00:00:00"), lambda text: text.replace('"digest": "', '"digest": "zz'),
    lambda text: text.replace('"name"', '"nome"'), lambda text: text.replace('"per_minute": null', '"per_minute": -5'),
    lambda text: text.replace('"scenarios": []', '"scenarios": "shop"'),
])  # fmt: skip
def test_a_damaged_file_lets_nobody_in_and_says_what_to_do(store, damage):
    issued = store.create("one", scopes=["ask"])
    broken = damage(store.path.read_text())
    store.path.write_text(broken)
    for attempt in (store.all, lambda: store.check(issued.secret), lambda: store.revoke(issued.token.id)):
        with pytest.raises(IntegrityError, match=r"is damaged .*Put it back from a backup, or move it away") as caught:
            attempt()
        assert issued.token.digest not in str(caught.value)
    assert store.path.read_text() == broken


def test_a_file_that_others_may_write_lets_nobody_in(store):
    issued = store.create("one", scopes=["ask"])
    store.path.chmod(0o666)
    with pytest.raises(IntegrityError, match=r"others than its owner may write .*chmod 600"):
        TokenStore(store.path).check(issued.secret)


def test_a_file_that_cannot_be_read_lets_nobody_in(store):
    store.path.mkdir(parents=True)
    with pytest.raises(IntegrityError, match=r"cannot be read \(Is a directory\), so nobody is let in. It belongs to"):
        store.all()


def test_without_the_file_there_is_no_token_and_reading_makes_none(store):
    assert store.all() == ()
    assert not store.path.parent.exists()
    issued = store.create("one", scopes=["ask"])
    store.path.unlink()
    assert refused(store, issued.secret).reason == "invalid_token"


def test_all_scopes_can_be_had_and_they_come_in_their_order(store):
    assert store.create("one", scopes=reversed(SCOPES)).token.scopes == SCOPES


def test_processes_that_change_it_at_once_lose_nothing(tmp_path):
    path = tmp_path / "serving" / "tokens.json"
    makers = [
        subprocess.Popen([sys.executable, "-c", MAKING, str(path), "25"], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    secrets = [line for maker in makers for line in maker.communicate(timeout=120)[0].split()]
    assert len(secrets) == 75
    server = TokenStore(path)
    assert len({server.check(secret).id for secret in secrets}) == len(server.all()) == 75


def test_a_server_reads_whole_files_while_another_process_changes_them(tmp_path):
    path = tmp_path / "serving" / "tokens.json"
    server = TokenStore(path)
    first = server.create("first", scopes=["ask"]).secret
    with subprocess.Popen([sys.executable, "-c", MAKING, str(path), "60"], stdout=subprocess.PIPE, text=True) as maker:
        for line in maker.stdout:
            server.check(line.strip())
            server.check(first)
    assert len(server.all()) == 61


@pytest.mark.parametrize("attempt", range(3))
def test_a_killed_writer_leaves_every_token_that_it_told_of(tmp_path, attempt):
    path = tmp_path / "serving" / "tokens.json"
    with subprocess.Popen(
        [sys.executable, "-c", MAKING, str(path), "9999"], stdout=subprocess.PIPE, text=True
    ) as maker:
        told = [maker.stdout.readline().strip() for _ in range(3 + attempt)]
        time.sleep(random.SystemRandom().random() * 0.02)
        maker.send_signal(signal.SIGKILL)
        told += maker.stdout.read().split("\n")[:-1]
    store = TokenStore(path)
    assert {store.check(secret.strip()).name for secret in told} <= {token.name for token in store.all()}
    store.create("after it", scopes=["ask"])
    assert all(one.stat().st_mode & 0o077 == 0 for one in path.parent.glob(".tokens*"))


def test_the_file_is_json_that_people_can_read(store):
    store.create("one", scopes=["ask"])
    kept = json.loads(store.path.read_text())
    assert kept["format"] == 1
    assert kept["tokens"][0]["expires"] == "2026-04-01T00:00:00Z"
