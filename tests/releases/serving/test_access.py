"""Who is let in, and what the others are told."""

from datetime import timedelta

import pytest

from releases.serving.access import Access
from releases.serving.rate_limits import RateLimits
from releases.serving.refusal import Refused
from releases.serving.tokens import TokenStore, utc_now


@pytest.fixture
def store(tmp_path):
    return TokenStore(tmp_path / "serving" / "tokens.json")


@pytest.fixture
def access(store):
    return Access(store, limits=RateLimits(6000))


def bearer(issued):
    return f"Bearer {issued.secret}"


def refused(access, authorization, *, scope="predict", scenario="shop", **more):
    with pytest.raises(Refused) as caught:
        access.admit(authorization, scope=scope, scenario=scenario, **more)
    return caught.value


def test_a_token_lets_in_for_what_it_is(store, access):
    issued = store.create("till", scopes=["predict"], scenarios=["shop"], per_minute=60)
    caller = access.admit(bearer(issued), scope="predict", scenario="shop")
    assert (caller.token, caller.name, caller.per_minute) == (issued.token.id, "till", 60)
    assert access.admit(f"bearer   {issued.secret} ", scope=None, scenario=None) == caller
    assert not access.is_open


@pytest.mark.parametrize("authorization", [None, "", "  "])
def test_without_a_token_nobody_is_let_in(access, authorization):
    refusal = refused(access, authorization)
    assert (refusal.status, refusal.reason) == (401, "no_token")
    assert refusal.headers == {"WWW-Authenticate": 'Bearer realm="polyloom"'}
    assert "send the header 'Authorization: Bearer plm_...'" in refusal.detail


@pytest.mark.parametrize("authorization", ["Basic dXNlcjpwYXNz", "plm_0123abcd_x", "Token x", "Bearer\tx"])
def test_another_scheme_is_told_which_there_is(access, authorization):
    refusal = refused(access, authorization)
    assert (refusal.status, refusal.reason) == (401, "wrong_scheme")
    assert authorization not in refusal.detail


@pytest.mark.parametrize("authorization", ["Bearer", "Bearer x", "Bearer plm_0123abcd_" + "A" * 43])
def test_a_wrong_token_is_refused(access, authorization):
    refusal = refused(access, authorization)
    assert (refusal.status, refusal.reason) == (401, "invalid_token")
    assert refusal.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'


def test_a_wrong_scope_is_told_the_needed_one(store, access):
    refusal = refused(access, bearer(store.create("till", scopes=["search", "ask"])))
    assert (refusal.status, refusal.reason) == (403, "insufficient_scope")
    assert refusal.detail == "This needs the scope 'predict'; this access token has search, ask."
    assert refusal.headers == {"WWW-Authenticate": 'Bearer error="insufficient_scope", scope="predict"'}


def test_a_wrong_scenario_is_told_the_right_ones_and_not_whether_it_is_there(store, access):
    issued = store.create("till", scopes=["predict"], scenarios=["shop", "support"])
    answers = {refused(access, bearer(issued), scenario=name).detail for name in ("secret", "no such")}
    assert answers == {"This access token is for shop, support alone, scope 'predict'."}
    assert refused(access, bearer(issued), scenario="x", scope=None).detail == (
        "This access token is for shop, support alone."
    )


def test_expired_and_revoked_tokens_are_refused(store):
    issued = store.create("till", scopes=["predict"])
    later = TokenStore(store.path, now=lambda: utc_now() + timedelta(days=91))
    assert refused(Access(later, limits=RateLimits()), bearer(issued)).reason == "token_expired"
    store.revoke(issued.token.id)
    assert refused(Access(store, limits=RateLimits()), bearer(issued)).reason == "token_revoked"


def test_a_token_may_ask_as_often_as_it_says(store):
    now = [0.0]
    access = Access(store, limits=RateLimits(6, clock=lambda: now[0]))
    usual = bearer(store.create("usual", scopes=["predict"]))
    often = bearer(store.create("often", scopes=["predict"], per_minute=60))
    access.admit(usual, scope="predict", scenario="shop")
    refusal = refused(access, usual)
    assert (refusal.status, refusal.reason, refusal.headers) == (429, "rate_limited", {"Retry-After": "10"})
    assert refusal.detail == "More was asked than 6 a minute. Ask again after the seconds in Retry-After."
    access.admit(often, scope="predict", scenario="shop", cost=10)
    assert refused(access, often).headers == {"Retry-After": "1"}
    now[0] += 10
    access.admit(usual, scope="predict", scenario="shop")


def test_what_a_token_may_not_do_costs_it_nothing(store):
    access = Access(store, limits=RateLimits(6, clock=lambda: 0.0))
    issued = bearer(store.create("till", scopes=["predict"]))
    for _ in range(5):
        assert refused(access, issued, scope="search").status == 403
    access.admit(issued, scope="predict", scenario="shop")


def test_an_address_that_guesses_is_slowed_down_and_right_tokens_from_there_are_not(store):
    wrong = RateLimits(2, burst_seconds=60, clock=lambda: 0.0)
    access = Access(store, limits=RateLimits(6000), wrong_tokens=wrong)
    guess = "Bearer plm_0123abcd_" + "A" * 43
    answers = [refused(access, guess, address="192.0.2.1").status for _ in range(4)]
    assert answers == [401, 401, 429, 429]
    refusal = refused(access, guess, address="192.0.2.1")
    assert (refusal.reason, refusal.headers["Retry-After"]) == ("wrong_tokens", "30")
    assert refused(access, guess, address="192.0.2.2").status == 401
    assert refused(access, None, address="192.0.2.1").reason == "no_token"
    access.admit(bearer(store.create("till", scopes=["ask"])), scope="ask", scenario=None, address="192.0.2.1")


def test_an_open_server_lets_anybody_in_and_limits_each_address():
    access = Access(None, limits=RateLimits(6, clock=lambda: 0.0))
    assert access.is_open
    caller = access.admit(None, scope="predict", scenario="shop", address="127.0.0.1")
    assert (caller.token, caller.name, caller.per_minute) == (None, "anybody", None)
    assert refused(access, "Bearer whatever", address="127.0.0.1").reason == "rate_limited"
    access.admit(None, scope="predict", scenario="shop", address="127.0.0.2")


def test_while_the_file_is_damaged_nobody_is_let_in(store, access):
    issued = store.create("till", scopes=["predict"])
    store.path.write_text("{")
    refusal = refused(access, bearer(issued))
    assert (refusal.status, refusal.reason) == (503, "tokens_unreadable")
    assert str(store.path) not in refusal.detail
    assert "Put it back from a backup" in str(refusal.__cause__)
