"""Models that read a question and a passage together and say how well the one answers the other."""

from torch import Tensor, nn

from modalities.encoders.text import loaded_model
from modalities.text_models import model_folder
from polyloom.errors import RequestError


class CrossEncoder(nn.Module):
    """Pairs [batch, tokens] to scores [batch], higher where the passage answers the question better.

    Nogueira and Cho, "Passage Re-ranking with BERT" (2019). A model with one answer gives that; of two answers the
    second is the case for the passage and the score is its log-odds.
    """

    def __init__(self, *, classifier: nn.Module, typed: bool) -> None:
        super().__init__()
        self.classifier = classifier
        self.typed = typed

    @property
    def reads(self) -> tuple[str, ...]:
        """The preparation's arrays that it takes."""
        return ("input_ids", "attention_mask", *(("token_type_ids",) if self.typed else ()))

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None) -> Tensor:
        """Scores of a batch."""
        given = {"input_ids": input_ids, "attention_mask": attention_mask, "token_type_ids": token_type_ids}
        logits: Tensor = self.classifier(**{name: array for name, array in given.items() if array is not None}).logits
        logits = logits.float()
        return logits[:, 0] if logits.shape[1] == 1 else logits[:, 1] - logits[:, 0]


def build_cross_encoder(*, model: str, weights: str) -> CrossEncoder:
    """A reranking model with its weights loaded.

    Raises WeightsError when the weights cannot be had, RequestError when it gives neither one answer nor two.
    """
    from transformers import AutoConfig, AutoModelForSequenceClassification

    folder = model_folder(model=model, weights=weights)
    configuration = AutoConfig.from_pretrained(folder, local_files_only=True)
    if configuration.num_labels not in {1, 2}:
        raise RequestError(
            f"{model!r} is no cross-encoder: it gives {configuration.num_labels} answers to a pair of texts, and one "
            "score, or two for and against, are needed. Take one trained to rank passages, such as those on MS MARCO."
        )
    classifier = loaded_model(folder, model=model, kind=AutoModelForSequenceClassification)
    return CrossEncoder(classifier=classifier.eval(), typed=getattr(configuration, "type_vocab_size", 0) > 1)
