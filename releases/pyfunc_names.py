"""What the parts of a release's MLflow model are called; its writer and its reader agree on them here."""

BUNDLE, ANSWER = "bundle", "answer"
CODE, SCRIPT, PLAIN = "code", "model_code.py", "plain.json"
