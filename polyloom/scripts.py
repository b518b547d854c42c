"""Scripts that are written without spaces between words."""

# Chinese, kana and hangul, as a class of letters in a pattern.
UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff"
