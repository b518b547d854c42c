"""`polyloom tokens`: made, listed, rotated, revoked; the secret is shown once and nowhere else."""

import pytest

from releases.serving.token import SCOPES
from releases.serving.tokens import TokenStore
from tests.support.command_line import inside


@pytest.fixture
def run(polyloom_home):
    """Run `polyloom tokens WORDS` on an empty state folder."""

    def command(*words):
        return inside("tokens", *words, environment={"POLYLOOM_HOME": str(polyloom_home), "COLUMNS": "160"})

    return command


@pytest.fixture
def server(polyloom_home):
    """The tokens as a running server reads them."""
    return TokenStore(polyloom_home / "serving" / "tokens.json")


def test_a_token_is_made_for_scopes_and_scenarios(run, server):
    made = run("create", "till 3", "--scope", "predict", "--scope", "search", "--scenario", "shop", "--per-minute", 60)
    secret = made.out.splitlines()[0]
    token = server.check(secret)
    assert (token.scopes, token.scenarios, token.per_minute) == (("predict", "search"), ("shop",), 60)
    assert f"token {token.id} (till 3): predict, search on shop, until 2" in made.said
    assert "shown this once" in made.err


def test_the_secret_alone_can_be_piped_on(run, server):
    made = run("create", "till", "--scope", "all", "--no-expiry", "--json").json
    token = server.check(made["secret"])
    assert token.scopes == SCOPES
    assert made["expires"] is None
    assert not {"digest", "former_digest"} & set(made)


def test_tokens_are_listed_without_secrets(run):
    assert "There is no access token. Next: polyloom tokens create" in run().out
    secret = run("create", "till", "--scope", "ask", "--json").json["secret"]
    revoked = run("create", "old till", "--scope", "all", "--scenario", "shop", "--days", 1, "--json").json["id"]
    run("revoke", revoked)
    listed = run()
    assert "till" in listed.said
    assert "active" in listed.said
    assert "revoked" in listed.said
    rows = run("--json").json
    assert [(row["name"], row["state"]) for row in rows] == [("till", "active"), ("old till", "revoked")]
    assert secret.rpartition("_")[2] not in listed.out + str(rows)


def test_a_rotation_leaves_the_secret_before_its_grace(run, server):
    made = run("create", "till", "--scope", "ask", "--json").json
    told = run("rotate", made["id"], "--grace-hours", 2)
    assert server.check(told.out.splitlines()[0]).id == server.check(made["secret"]).id
    assert "The secret before counts until 2" in told.said
    assert "rotating" in run().said
    assert run("rotate", made["id"], "--grace-hours", 0, "--json").json["state"] == "active"


def test_a_revoked_one_is_over(run):
    made = run("create", "till", "--scope", "ask", "--json").json
    assert run("revoke", made["id"]).out == f"Token {made['id']} (till) is revoked.\n"
    assert run("revoke", made["id"], "--json").json["state"] == "revoked"
    ended = run("rotate", made["id"])
    assert ended.code == 2
    assert "is revoked and gets no new secret" in ended.err


@pytest.mark.parametrize(("words", "message"), [
    (("create", "till"), "Missing option '--scope'"),
    (("create", "till", "--scope", "serch"), "Did you mean 'search'?"),
    (("create", "till", "--scope", "ask", "--days", "0"), "0 days came in"),
    (("create", "till", "--scope", "ask", "--per-minute", "0"), "0 requests a minute came in"),
    (("revoke", "0123abcd"), "'0123abcd' is no token here. 'polyloom tokens' lists their ids."),
    (("rotate", "0123abcd"), "is no token here"),
    (("revok", "0123abcd"), "Did you mean 'revoke'?"),
])  # fmt: skip
def test_wrong_requests_end_with_2(run, words, message):
    ended = run(*words)
    assert ended.code == 2
    assert message in ended.said


def test_a_damaged_file_ends_with_1(run, server):
    run("create", "till", "--scope", "ask")
    server.path.write_text("{")
    ended = run()
    assert ended.code == 1
    assert "the file of access tokens is damaged" in ended.err
