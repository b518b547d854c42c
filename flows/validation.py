"""The checks of `polyloom validate` that need more than the file: models, weights and data that must be there."""

from flows.assembly import source_paths
from flows.modality_spec import Image, Text
from flows.scenario_file import LoadedScenario, refuse
from flows.task_reads import gives_maps
from polyloom.errors import PolyloomError, RequestError, WeightsError


def deep_problems(loaded: LoadedScenario) -> list[str]:
    """One sentence for each model, weight or file that cannot be had; nothing is downloaded."""
    found = []
    for name, modality in loaded.scenario.modalities.items():
        try:
            check_modality(modality)
            if isinstance(modality, Image) and gives_maps(loaded.scenario, name):
                check_maps(modality.model)
        except WeightsError as error:
            found.append(f"modalities.{name}.weights: {error}")
        except PolyloomError as error:
            found.append(f"modalities.{name}.model: {error}")
    return found + data_problems(loaded)


def data_problems(loaded: LoadedScenario) -> list[str]:
    """One sentence for each source whose file is not there."""
    found = []
    for name, data in loaded.scenario.data.items():
        try:
            source_paths(name, data, beside=loaded.path.parent)
        except RequestError as error:
            found.append(str(error))
    return found


def check_before_work(loaded: LoadedScenario) -> None:
    """Refuse what can be known to fail before anything is read or trained. Raises ScenarioError."""
    refuse(loaded.path, deep_problems(loaded))


def check_maps(model: str) -> None:
    """Raises RequestError for a picture model that gives no feature maps."""
    from modalities.encoders.picture_maps import build_picture_maps_encoder

    build_picture_maps_encoder(model=model, weights="scratch")


def check_modality(modality: object) -> None:
    """Raises a PolyloomError for an unknown model or weights that are not there."""
    from modalities.weights import local_path, packaged_folder

    if isinstance(modality, Image):
        from modalities.encoders.picture import check_model

        check_model(modality.model)
    if isinstance(modality, Image | Text):
        if modality.weights == "packaged":
            packaged_folder(modality.model)
        elif modality.weights not in {"hub", "scratch"}:
            local_path(modality.weights, model=modality.model)
    if isinstance(modality, Text) and modality.vocabulary is not None:
        check_vocabulary(modality, modality.vocabulary)


def check_vocabulary(modality: Text, vocabulary: str) -> None:
    """Raises WeightsError for a vocabulary that is not there, or that stands beside weights with one of their own."""
    from modalities.weights import local_path

    if modality.weights != "scratch":
        raise WeightsError(
            f"{modality.weights!r} come with a vocabulary of their own, but {vocabulary!r} is given. "
            "Leave `vocabulary` out, or write `weights: scratch`."
        )
    local_path(vocabulary, model="vocabulary")
