"""Picture encoders: any timm model."""

from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from modalities.encoders.embeddings import Embeddings
from modalities.preparation.pictures import RESAMPLING, PicturePreparation
from modalities.weights import hub_failure, local_path, mismatch
from polyloom.errors import RequestError, WeightsError, suggestion

# TensorFlow's models were trained on pixels from -1 to 1, whatever timm's own weights of the same model want.
TENSORFLOW_MEAN = TENSORFLOW_DEVIATION = (0.5, 0.5, 0.5)


class PictureEncoder(nn.Module):
    """Pixels [batch, 3, size, size] to pooled embeddings."""

    reads = ("pixels",)

    def __init__(self, *, backbone: nn.Module, dim: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.dim = dim

    def forward(self, pixels: Tensor) -> Embeddings:
        """Embeddings of a batch; InceptionV3's auxiliary output is not used."""
        return Embeddings(pooled=self.backbone(pixels))

    def last_map(self, pixels: Tensor) -> Tensor:
        """The last feature map [batch, channels, height, width], before it is pooled; a transformer's as a grid."""
        found: list[Tensor] = self.backbone.forward_intermediates(  # type: ignore[operator]
            pixels, indices=1, norm=True, output_fmt="NCHW", intermediates_only=True
        )
        return found[-1]

    def map_shape(self, size: int) -> tuple[int, int]:
        """Channels and height of the last feature map for pictures of `size` pixels."""
        training = self.backbone.training
        self.backbone.eval()
        with torch.inference_mode():
            _, channels, height, _ = self.last_map(torch.zeros(1, 3, size, size)).shape
        self.backbone.train(training)
        return int(channels), int(height)


def build_picture_encoder(*, model: str, weights: str) -> PictureEncoder:
    """An encoder with its weights loaded. Raises RequestError for an unknown model, WeightsError without weights."""
    import timm

    check_model(model)
    backbone = timm.create_model(model, pretrained=False, num_classes=0, **model_options(weights))
    if weights == "hub":
        backbone = hub_backbone(model)
    elif weights != "scratch":
        load_state(backbone, local_path(weights, model=model))
    return PictureEncoder(backbone=backbone, dim=feature_count(backbone))


def picture_preparation(
    *, model: str, column: str, size: int | None, weights: str, whole: bool = False
) -> PicturePreparation:
    """The preparation that the model's own configuration asks for; a given size overrides the model's."""
    import timm

    check_model(model)
    settings = timm.get_pretrained_cfg(model)
    if settings is None:
        settings = timm.models.PretrainedCfg()
    interpolation = settings.interpolation if settings.interpolation in RESAMPLING else "bicubic"
    # The published crop belongs to published weights: a net from scratch sees the whole picture.
    crop = 1.0 if weights == "scratch" else float(settings.crop_pct)
    converted = is_from_tensorflow(weights)
    return PicturePreparation(
        column=column,
        size=size or int(settings.input_size[-1]),
        mean=TENSORFLOW_MEAN if converted else [float(value) for value in settings.mean],
        deviation=TENSORFLOW_DEVIATION if converted else [float(value) for value in settings.std],
        crop=crop,
        interpolation=interpolation,
        whole=whole,
    )


def feature_count(backbone: nn.Module) -> int:
    """Length of the pooled embedding; some models pool into more features than their last block has."""
    count = getattr(backbone, "head_hidden_size", None) or backbone.num_features
    return int(cast("int", count))


def check_model(model: str) -> None:
    """Raises RequestError when timm does not know the model."""
    import timm

    if not timm.is_model(model):
        near = suggestion(model, timm.list_models())
        raise RequestError(f"{model!r} is not a timm model.{near} 'polyloom doctor --models {model[:6]}' lists them.")


def model_options(weights: str) -> dict[str, Any]:
    """Options that weights converted from TensorFlow need beside the state itself."""
    return {"pad_type": "same"} if is_from_tensorflow(weights) else {}


def is_from_tensorflow(weights: str) -> bool:
    """Whether weights were converted from TensorFlow: timm marks such files with `.tf_`."""
    return ".tf_" in Path(weights).name


def hub_backbone(model: str) -> nn.Module:
    """The model with its published weights, from the local hub cache or downloaded into it."""
    import timm
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        backbone: nn.Module = timm.create_model(model, pretrained=True, num_classes=0)
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, RuntimeError, ValueError) as error:
        raise hub_failure(model, error) from error
    return backbone


def load_state(backbone: nn.Module, path: Path) -> None:
    """Load a .safetensors file; a classifier in it that the backbone does not have is left out."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if path.suffix != ".safetensors":
        raise WeightsError(f"weights {str(path)!r}: a picture model's weights are a .safetensors file.")
    try:
        state = load_file(str(path))
    except SafetensorError as error:
        raise WeightsError(
            f"weights {str(path)!r} cannot be read as safetensors ({error}). Fetch or export the file again."
        ) from error
    wanted = backbone.state_dict()
    missing = sorted(set(wanted) - set(state))
    wrong = sorted(name for name in set(wanted) & set(state) if wanted[name].shape != state[name].shape)
    if missing or wrong:
        raise WeightsError(mismatch(str(path), missing=missing, wrong=wrong))
    backbone.load_state_dict({name: state[name] for name in wanted})
