"""What a server remembers starts without torch, and without MLflow."""

import subprocess
import sys
from pathlib import Path

HEAVY = ["torch", "torchvision", "transformers", "timm", "prefect", "mlflow", "faiss", "pandas"]
FOLDER = Path(__file__).parents[3] / "releases" / "serving"


def test_nothing_heavy_is_imported():
    names = [f"releases.serving.{path.stem}" for path in sorted(FOLDER.glob("[!_]*.py"))]
    code = f"import sys, {', '.join(names)}; print(sorted(set({HEAVY!r}) & set(sys.modules)))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
