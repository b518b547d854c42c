"""What `polyloom run` imports on its way, the late ones too: paid for once by the process that runs are forked from."""

import importlib

from flows import settings

settings.apply()
for name in (
    "flows.report",
    "flows.running",
    "flows.train",
    "matplotlib.backends.backend_agg",
    "matplotlib.figure",
    "mlflow.store.tracking.sqlalchemy_store",
    "onnxscript",
    "torch._inductor",
    "torch.export._trace",
    "torch.onnx._internal.exporter._compat",
    "training.export",
):
    importlib.import_module(name)
