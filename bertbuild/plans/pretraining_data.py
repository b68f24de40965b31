"""From what is wanted of pre-training data to the stage that makes it. Pure, as `plan` is."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from bertbuild.checkpoint.vocabulary import READINGS
from bertbuild.errors import UsageError
from bertbuild.parameters import check, parameter
from bertbuild.plans.plan import File, Plan, Step
from bertbuild.plans.prepare_data import VOCAB_READING_ABOUT
from bertbuild.toml.values import Choice, Real, Truth, Whole

MODEL_GARDEN, GOOGLE_RESEARCH = MASKS = ("model-garden", "google-research")


@dataclass(frozen=True, slots=True, kw_only=True)
class PretrainingRequest:
    """What the examples are to be like: the flags of the Model Garden's create_pretraining_data, its defaults.

    Attributes:
        shards: files to write, one example to each in turn.
    """

    do_lower_case: bool = parameter(Truth(), True, "make letters small, for uncased vocabularies")
    do_whole_word_mask: bool = parameter(Truth(valued=True), False, "mask whole words and not single pieces")
    max_ngram_size: int = parameter(Whole(), 0, "mask so many words in a row at most; needs whole words; 0: no n-grams")
    gzip_compress: bool = parameter(Truth(valued=True), False, "compress the records")
    use_v2_feature_names: bool = parameter(
        Truth(valued=True), False, "input_word_ids and input_type_ids in place of input_ids and segment_ids"
    )
    max_seq_length: int = parameter(Whole(1), 128, "pieces of an example, [CLS] and [SEP] counted")
    max_predictions_per_seq: int = parameter(Whole(1), 20, "pieces to mask in an example at most")
    random_seed: int = parameter(Whole(), 12345, "what all random numbers come from")
    dupe_factor: int = parameter(Whole(1), 10, "how often the text is gone through, each time with other masks")
    masked_lm_prob: float = parameter(Real(least=0, most=1), 0.15, "share of the pieces to mask", written="SHARE")
    short_seq_prob: float = parameter(
        Real(least=0, most=1), 0.1, "share of the documents to cut into shorter examples", written="SHARE"
    )
    shards: int = 1
    masks: str = parameter(
        Choice(MASKS), MODEL_GARDEN, "whose examples they are like; google-research's script masks other pieces"
    )
    vocab_reading: str = parameter(Choice(READINGS), "", VOCAB_READING_ABOUT)

    def __post_init__(self) -> None:
        """Refuse what no text could make sense of."""
        check(self)
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
