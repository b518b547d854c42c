from tests.support.mlflow_store import mlflow_uri

__all__ = ["mlflow_uri"]
