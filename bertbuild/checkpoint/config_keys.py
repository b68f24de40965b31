"""Keys of a bert_config.json beside the eleven that modeling.py reads: harmless, or harmless with one value only.

They come from google-research/bert's multilingual configurations, the Model Garden's `configs.BertConfig`, TinyBERT,
and Hugging Face's `BertConfig` and `PretrainedConfig` (transformers 4.57), whose files people copy. A key that is in
neither table may change the arithmetic, so `unread` names it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

HARMLESS: Final = frozenset(
    {
        # pooler and next-sentence settings of the multilingual models, which modeling.py has never read
        "pooler_fc_size",
        "pooler_num_attention_heads",
        "pooler_num_fc_layers",
        "pooler_size_per_head",
        # labels, tasks and where the model is from
        "_commit_hash",
        "_name_or_path",
        "_num_labels",
        "architectures",
        "author",
        "dtype",
        "finetuning_task",
        "id2label",
        "label2id",
        "language",
        "model_name",
        "name",
        "num_labels",
        "problem_type",
        "task_specific_params",
        "tokenizer_class",
        "torch_dtype",
        "transformers_version",
        # the tokenizer's and the generator's
        "bos_token_id",
        "cls_token_id",
        "do_lower_case",
        "eos_token_id",
        "mask_token_id",
        "max_length",
        "pad_token_id",
        "sep_token_id",
        "unk_token_id",
        # how a program runs the model, or what it hands out beside its answer
        "_attn_implementation",
        "_attn_implementation_autoset",
        "attn_implementation",
        "backward_compatible",
        "chunk_size_feed_forward",
        "fp16",
        "gradient_checkpointing",
        "output_attentions",
        "output_hidden_states",
        "output_past",
        "return_dict",
        "torchscript",
        "use_cache",
        # of training alone
        "classifier_dropout",
        "pre_trained",
        "training",
        "xla_device",
    }
)
"""Whatever their value, a BERT answers the same."""

ONE_VALUE: Final[Mapping[str, tuple[Any, ...]]] = {
    "add_cross_attention": (False, None),
    "cell": ({},),
    "cross_attention_hidden_size": (None,),
    "directionality": ("bidi",),
    "is_decoder": (False, None),
    "is_encoder_decoder": (False, None),
    "model_type": ("bert",),
    "pooler_type": ("first_token_transform",),
    "position_embedding_type": ("absolute",),
    "pruned_heads": ({}, None),
    "quantization_config": (None,),
    "structure": ([],),
    "tie_word_embeddings": (True,),
    "use_bfloat16": (False,),
}
"""Keys that say what modeling.py computes anyway, with the values that do; another value is another model."""

EMBEDDING_SIZES: Final = ("embedding_size", "emb_size")
"""The Model Garden's and TinyBERT's word for the width of the word table; null, or the hidden size."""


def unread(values: Mapping[str, Any], hidden_size: int) -> str | None:
    """Why a configuration is not one of modeling.py's BERT, for the first of its other keys that says so; else None.

    `values` are the keys that modeling.py does not read, `layer_norm_eps` left out.
    """
    for key, value in values.items():
        if key in HARMLESS:
            continue
        if key in EMBEDDING_SIZES:
            if value is not None and (isinstance(value, bool) or value != hidden_size):
                width = json.dumps(value)
                return f"has {key} {width} where hidden_size is {hidden_size}; a BERT's word table has that width"
        elif key not in ONE_VALUE:
            return f"has the key {key}, and what it changes in the arithmetic is not known here"
        elif not any(type(value) is type(one) and value == one for one in ONE_VALUE[key]):
            good = json.dumps(ONE_VALUE[key][0])
            return f"has {key} {json.dumps(value)}, and a BERT as google-research/bert computes it has {good}"
    return None
