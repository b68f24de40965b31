"""Keys of a bert_config.json beside the eleven that modeling.py reads: harmless, or harmless with one value only.

They come from google-research/bert's multilingual configurations, the Model Garden's `configs.BertConfig`, TinyBERT,
and Hugging Face's `BertConfig` and `PretrainedConfig` (transformers 4.57), whose files people copy. A key that is in
neither table may change the arithmetic, so `unread` names it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from bertbuild.families.table import ALBERT, ALBERT_ZH, BERT, ELECTRA

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


_SHARED_LAYERS: Final = {
    "down_scale_factor": (1,),
    "gap_size": (0,),
    "inner_group_num": (1,),
    "ln_type": ("postln",),
    "model_type": ("albert",),
    "net_structure_type": (0,),
    "num_hidden_groups": (1,),
    "num_memory_blocks": (0,),
}
OF_FAMILY: Final[Mapping[str, Mapping[str, tuple[Any, ...]]]] = {
    BERT: {},
    ALBERT: _SHARED_LAYERS,
    ALBERT_ZH: _SHARED_LAYERS,
    ELECTRA: {"model_type": ("electra",)},
}
"""Family → its own keys with the values that are computed; they go before `ONE_VALUE`."""
HARMLESS_OF_FAMILY: Final[Mapping[str, frozenset[str]]] = {
    BERT: frozenset(),
    ALBERT: frozenset({"classifier_dropout_prob"}),
    ALBERT_ZH: frozenset({"classifier_dropout_prob"}),
    ELECTRA: frozenset({"summary_activation", "summary_last_dropout", "summary_type", "summary_use_proj"}),
}
"""Of ELECTRA, what Hugging Face's configuration says of a layer that no checkpoint of TensorFlow 1 has."""


def unread(values: Mapping[str, Any], hidden_size: int, family: str = BERT) -> tuple[str, str] | None:
    """The first of its other keys by which a configuration is not one of its family's, and why; else None.

    `values` are the keys that modeling.py does not read, `layer_norm_eps` left out, and `embedding_size` of another
    family than BERT.
    """
    own = OF_FAMILY[family]
    for key, value in values.items():
        if key in HARMLESS or key in HARMLESS_OF_FAMILY[family]:
            continue
        if key in EMBEDDING_SIZES:
            if value is not None and (isinstance(value, bool) or value != hidden_size):
                width = json.dumps(value)
                return key, f"has {key} {width} where hidden_size is {hidden_size}; a BERT's word table has that width"
            continue
        known = own.get(key) or ONE_VALUE.get(key)
        if known is None:
            return key, f"has the key {key}, and what it changes in the arithmetic is not known here"
        if not any(type(value) is type(one) and value == one for one in known):
            model = "a BERT as google-research/bert computes it has" if key not in own else "what is computed here is"
            return key, f"has {key} {json.dumps(value)}, and {model} {json.dumps(known[0])}"
    return None
