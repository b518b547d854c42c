"""Names that scenarios and releases share."""

# What the ranking by words is called, beside the modalities.
KEYWORD = "keyword"
