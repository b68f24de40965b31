"""From what is wanted of pre-training data to the stage that makes it. Pure, as `plan` is."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from bertbuild.errors import UsageError
from bertbuild.parameters import check_choice
from bertbuild.plans.plan import File, Plan, Step

MODEL_GARDEN, GOOGLE_RESEARCH = MASKS = ("model-garden", "google-research")


@dataclass(frozen=True, slots=True, kw_only=True)
class PretrainingRequest:
    """What the examples are to be like: the flags of the Model Garden's create_pretraining_data, its defaults.

    Attributes:
        do_lower_case: make letters small, for an uncased vocabulary.
        do_whole_word_mask: mask whole words and not single pieces.
        max_ngram_size: mask so many words in a row at most; 0 for no n-grams.
        gzip_compress: compress the records.
        use_v2_feature_names: input_word_ids and input_type_ids in place of input_ids and segment_ids.
        max_seq_length: pieces of an example, [CLS] and [SEP] counted.
        max_predictions_per_seq: pieces to mask in an example at most.
        random_seed: what all random numbers come from.
        dupe_factor: how often the text is gone through, each time with other masks.
        masked_lm_prob: part of the pieces to mask.
        short_seq_prob: part of the documents to cut into shorter examples.
        shards: files to write, one example to each in turn.
        masks: whose examples, one of `MASKS`.
        vocab_reading: how a vocab.txt with duplicate lines is numbered; empty where there is but one way.
    """

    do_lower_case: bool = True
    do_whole_word_mask: bool = False
    max_ngram_size: int = 0
    gzip_compress: bool = False
    use_v2_feature_names: bool = False
    max_seq_length: int = 128
    max_predictions_per_seq: int = 20
    random_seed: int = 12345
    dupe_factor: int = 10
    masked_lm_prob: float = 0.15
    short_seq_prob: float = 0.1
    shards: int = 1
    masks: str = MODEL_GARDEN
    vocab_reading: str = ""

    def __post_init__(self) -> None:
        """Refuse what no text could make sense of."""
        check_choice("masks", (self.masks,), MASKS)
        if self.masks != MODEL_GARDEN and self.max_ngram_size:
            raise UsageError(
                "google-research/bert masks no n-grams.",
                next_step=f"Leave --max-ngram-size out, or give --masks {MODEL_GARDEN}.",
            )


def plan_pretraining_data(name: str, text: File, vocab: File, request: PretrainingRequest) -> Plan:
    """Text and vocabulary → TFRecords; there is no model, so there is nothing to compare answers of.

    Args:
        name: what the result is called after.
        text: a folder whose files are the text, in the order of their names.
        vocab: the vocabulary.
        request: what the examples are to be like.
    """
    params = {flag: str(value).lower() for flag, value in asdict(request).items()}
    reading = params.pop("vocab_reading")
    if reading:
        params["vocab-reading"] = reading
    made = Step(id="pretraining-data", stage="pretraining-data", inputs={"text": text, "vocab": vocab}, params=params)
    return Plan(model=name, steps=(made,))


def target_name(request: PretrainingRequest) -> str:
    """The result's name in out/: pretraining-128, and whose masks it has where they are not the Model Garden's."""
    suffix = "" if request.masks == MODEL_GARDEN else f"-{request.masks}"
    return f"pretraining-{request.max_seq_length}{suffix}"
