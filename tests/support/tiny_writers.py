"""Models that write, small enough for a test but real: a masked BERT, and a MarianMT of one layer."""

from pathlib import Path

from tests.support.tiny_models import SPECIAL, WORDS, write_tokenizer


def write_masked_bert(folder: Path, *, seed: int = 0) -> Path:
    """A BERT with the head that fills in words, and a tokenizer that knows its mask."""
    import json

    import torch
    from transformers import BertConfig, BertForMaskedLM

    folder.mkdir(parents=True, exist_ok=True)
    write_tokenizer(folder)
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps({**settings, "mask_token": "[MASK]"}))
    torch.manual_seed(seed)
    BertForMaskedLM(
        BertConfig(
            vocab_size=len(SPECIAL) + len(WORDS),
            hidden_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=64,
            max_position_embeddings=32,
        )
    ).save_pretrained(folder)
    return folder


def write_marian(folder: Path, *, seed: int = 0) -> Path:
    """A MarianMT model that knows a few words and has learned nothing."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import MarianConfig, MarianMTModel, PreTrainedTokenizerFast

    folder.mkdir(parents=True, exist_ok=True)
    names = ["</s>", "<unk>", "<pad>", "red", "blue", "shoe", "hat"]
    tokenizer = Tokenizer(models.WordLevel({name: number for number, name in enumerate(names)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 0)])
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", pad_token="<pad>", eos_token="</s>"
    ).save_pretrained(folder)
    torch.manual_seed(seed)
    MarianMTModel(
        MarianConfig(
            vocab_size=len(names),
            d_model=16,
            encoder_layers=1,
            decoder_layers=1,
            encoder_attention_heads=2,
            decoder_attention_heads=2,
            encoder_ffn_dim=32,
            decoder_ffn_dim=32,
            max_position_embeddings=64,
            pad_token_id=2,
            eos_token_id=0,
            decoder_start_token_id=2,
            forced_eos_token_id=0,
        )
    ).save_pretrained(folder)
    return folder
