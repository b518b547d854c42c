"""What an environment must have for one release to answer in it: packages with the versions that it was made with."""

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from polyloom.durable import read_json
from releases.closure import closure

# Where a package's name on an index is not what is imported. MLflow without its server and its databases is enough.
DISTRIBUTIONS = {"PIL": "pillow", "faiss": "faiss-cpu", "Stemmer": "PyStemmer", "mlflow": "mlflow-skinny"}
# Imported late for speed, and needed by every release: nothing answers without a graph, and many heads decode by scipy.
ALWAYS = frozenset({"onnxruntime", "scipy"})
# Only fitting, measuring and an index in Milvus need these; a release alone does none of it.
NEVER = frozenset({"implicit", "threadpoolctl", "pycocotools", "pymilvus", "milvus_lite", "grpc"})
FOR_AN_INDEX = frozenset({"faiss", "sqlglot"})
FOR_WORDS = frozenset({"bm25s", "Stemmer"})
FOR_RECOMMENDATIONS = frozenset({"safetensors"})
FOR_A_LEARNED_ORDER = frozenset({"lightgbm"})
FOR_FAST_GRAPHS = frozenset({"openvino"})


def requirements(bundle: Path) -> list[str]:
    """Lines of a requirements file for a bundle, sorted."""
    names = distributions(bundle, read_json(bundle / "application.json"))
    return [f"{name}=={version(name)}" for name in sorted(names, key=str.lower)]


def distributions(bundle: Path, facts: Mapping[str, Any]) -> set[str]:
    """What a release needs, by the names of distributions; `facts` are its `application.json`."""
    needed = closure().eager | (closure().late & late_needs(bundle, facts))
    return {DISTRIBUTIONS.get(package, package) for package in needed}


def late_needs(bundle: Path, facts: Mapping[str, Any]) -> frozenset[str]:
    """The packages that this release needs and not every one does."""
    index = facts.get("index") or {}
    graphs = [read_json(path) for path in sorted((bundle / "encoders").glob("*/encoder.json"))]
    return ALWAYS.union(
        FOR_AN_INDEX if index else (),
        FOR_WORDS if index.get("keyword") else (),
        FOR_RECOMMENDATIONS if facts.get("recommend") else (),
        FOR_A_LEARNED_ORDER if (bundle / "recommender" / "ranking").is_dir() else (),
        FOR_FAST_GRAPHS if any(str(graph.get("runtime", "")).startswith("openvino") for graph in graphs) else (),
    )
