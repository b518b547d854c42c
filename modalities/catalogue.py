"""Which picture encoders there are, by name."""


def picture_models() -> list[str]:
    """Every model that timm knows, sorted."""
    import timm

    return sorted(timm.list_models())
