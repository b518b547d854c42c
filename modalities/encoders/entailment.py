"""Models of natural language inference as encoders: how far a text entails each of several hypotheses."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from modalities.encoders.embeddings import Embeddings
from modalities.encoders.text import loaded_model
from modalities.text_models import model_folder
from polyloom.errors import RequestError


class EntailmentEncoder(nn.Module):
    """Pairs [batch, tokens, hypotheses] to the log-odds [batch, hypotheses] that the text entails each hypothesis.

    Yin, Hay and Roth, "Benchmarking Zero-shot Text Classification" (2019). `entailment` is the place of that answer
    among the classifier's; all others together are the case against it.
    """

    def __init__(self, *, classifier: nn.Module, entailment: int, hypotheses: int, typed: bool) -> None:
        super().__init__()
        self.classifier = classifier
        self.entailment = entailment
        self.dim = hypotheses
        self.typed = typed

    @property
    def reads(self) -> tuple[str, ...]:
        """The preparation's arrays that it takes."""
        return ("input_ids", "attention_mask", *(("token_type_ids",) if self.typed else ()))

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None) -> Embeddings:
        """Log-odds of a batch."""
        given = {"input_ids": input_ids, "attention_mask": attention_mask, "token_type_ids": token_type_ids}
        pairs = {name: folded(array) for name, array in given.items() if array is not None}
        logits = self.classifier(**pairs).logits.float()
        others = torch.cat([logits[:, : self.entailment], logits[:, self.entailment + 1 :]], dim=1)
        odds = logits[:, self.entailment] - torch.logsumexp(others, dim=1)
        return Embeddings(pooled=odds.reshape(-1, input_ids.shape[2]))


def folded(array: Tensor) -> Tensor:
    """Arrays over [batch, tokens, hypotheses] with a row for each pair."""
    return array.transpose(1, 2).reshape(-1, array.shape[1])


def build_entailment_encoder(*, model: str, weights: str, hypotheses: int) -> EntailmentEncoder:
    """A model of inference with its weights loaded.

    Raises WeightsError when the weights cannot be had, RequestError when no answer of the model is entailment.
    """
    from transformers import AutoConfig, AutoModelForSequenceClassification

    folder = model_folder(model=model, weights=weights)
    configuration = AutoConfig.from_pretrained(folder, local_files_only=True)
    place = entailment_place(model, configuration.id2label)
    classifier = loaded_model(folder, model=model, kind=AutoModelForSequenceClassification)
    typed = getattr(configuration, "type_vocab_size", 0) > 1
    return EntailmentEncoder(classifier=classifier, entailment=place, hypotheses=hypotheses, typed=typed)


def entailment_place(model: str, answers: Mapping[int, str]) -> int:
    """Which of a classifier's answers says that the text entails the hypothesis."""
    found = [place for place, answer in answers.items() if answer.lower().startswith("entail")]
    if len(found) != 1 or len(answers) < 2:
        raise RequestError(
            f"{model!r} is no model of natural language inference: its answers are {', '.join(answers.values())}, and "
            "one of several must be called entailment. Take one trained on MNLI or XNLI, or write `form: text`."
        )
    return found[0]
