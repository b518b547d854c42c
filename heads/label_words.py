"""A label as a text encoder can read it."""


def label_words(label: str) -> str:
    """A label's name with its underscores turned into spaces.

    >>> label_words("card_not_working")
    'card not working'
    """
    return " ".join(label.replace("_", " ").split())
