"""Keys of a Hugging Face config.json that do not change what a BERT's encoder computes, beside those of `config_keys`.

From transformers' PretrainedConfig (releases 2 to 4.57), and from what training scripts leave there.
"""

from typing import Final

HARMLESS: Final = frozenset(
    {
        # who made it, and with what
        "languages",
        "license",
        "tags",
        "tokenizer",
        "vocab_size_or_config_json_file",
        "model_max_length",
        "min_length",
        "sep_token",
        "cls_token",
        "mask_token",
        "unk_token",
        "pad_token",
        "total_flos",
        "sentence_transformers",
        "train_batch_size",
        "num_train_epochs",
        "learning_rate",
        # what heads and losses are, which settle only what is read from heads
        "n_labels",
        "classifier_activation",
        "tie_word_embeddings",
        "tie_encoder_decoder",
        "summary_type",
        "summary_use_proj",
        "summary_activation",
        "summary_first_dropout",
        "summary_last_dropout",
        "summary_proj_to_labels",
        # the same numbers computed in another way, or given out in another form
        "return_dict_in_generate",
        "layerdrop",
        # ids and settings of text generation
        "eos_token_ids",
        "decoder_start_token_id",
        "forced_bos_token_id",
        "forced_eos_token_id",
        "begin_suppress_tokens",
        "suppress_tokens",
        "bad_words_ids",
        "diversity_penalty",
        "do_sample",
        "early_stopping",
        "encoder_no_repeat_ngram_size",
        "exponential_decay_length_penalty",
        "length_penalty",
        "no_repeat_ngram_size",
        "num_beam_groups",
        "num_beams",
        "num_return_sequences",
        "output_scores",
        "prefix",
        "remove_invalid_values",
        "repetition_penalty",
        "temperature",
        "tf_legacy_loss",
        "top_k",
        "top_p",
        "typical_p",
    }
)
