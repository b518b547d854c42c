"""Where feedback lies, and how a picture stands in it: known to who writes it, without what reads sources."""

from pathlib import Path

from polyloom.home import home

CORRECTIONS, CLICKS = "corrections", "clicks"
BLOBS, USERS_KEY = "blobs", "users.key"
# What stands in a corrected row in the place of a picture: an object with its SHA-256.
PICTURE = "$picture"


def feedback_folder(scenario: str) -> Path:
    """A scenario's folder: a log of each kind, the pictures of corrected rows, the key of users' names."""
    return home() / "feedback" / scenario
