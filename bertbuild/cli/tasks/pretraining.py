"""prepare-pretraining-data as an Invoke task."""

from __future__ import annotations

from bertbuild.cli.flags import COMMON_HELP, ISOLATION_HELP, REPLACE_HELP, VOCAB_READING, number, truth, whole_number
from bertbuild.cli.frame import running
from bertbuild.cli.task import task

PRETRAINING_HELP = {
    "input-file": "text: a sentence a line, an empty line between documents; several files with commas, or *.txt",
    "output-file": "also copy the records to this file; to several with commas, one example to each in turn",
    "vocab-file": "the model's vocab.txt",
    "vocab-reading": VOCAB_READING,
    "name": "what to call the result; default: the vocabulary's name",
    "do-lower-case": "true (default) for uncased vocabularies, or false",
    "do-whole-word-mask": "mask whole words and not single pieces (default false)",
    "max-ngram-size": "mask so many words in a row at most; needs whole words (default 0: no n-grams)",
    "gzip-compress": "compress the records (default false)",
    "use-v2-feature-names": "input_word_ids and input_type_ids in place of input_ids and segment_ids (default false)",
    "max-seq-length": "pieces of an example, [CLS] and [SEP] counted (default 128)",
    "max-predictions-per-seq": "pieces to mask in an example at most (default 20)",
    "masks": "whose examples: model-garden (default), or google-research, whose script masks other pieces",
    "random-seed": "what all random numbers come from (default 12345)",
    "dupe-factor": "how often the text is gone through, each time with other masks (default 10)",
    "masked-lm-prob": "part of the pieces to mask (default 0.15)",
    "short-seq-prob": "part of the documents to cut into shorter examples (default 0.1)",
}


@task(
    optional=["do_lower_case", "do_whole_word_mask", "gzip_compress", "use_v2_feature_names"],
    help=COMMON_HELP | REPLACE_HELP | ISOLATION_HELP | PRETRAINING_HELP,
)
def prepare_pretraining_data(
    input_file: str = "",
    output_file: str = "",
    vocab_file: str = "",
    vocab_reading: str = "",
    name: str = "",
    do_lower_case: str = "true",
    do_whole_word_mask: str = "false",
    max_ngram_size: str = "0",
    gzip_compress: str = "false",
    use_v2_feature_names: str = "false",
    max_seq_length: str = "128",
    max_predictions_per_seq: str = "20",
    masks: str = "model-garden",
    random_seed: str = "12345",
    dupe_factor: str = "10",
    masked_lm_prob: str = "0.15",
    short_seq_prob: str = "0.1",
    isolation: str = "",
    offline: bool = False,
    replace: bool = False,
    json: bool = False,
) -> None:
    """Make TFRecords to pre-train BERT with: masked pieces and next sentences, as the Model Garden's."""
    from bertbuild.commands import pretraining
    from bertbuild.plans.pretraining_data import PretrainingRequest

    with running(json=json, replace=replace, isolation=isolation, offline=offline) as session:
        outputs = tuple(filter(None, output_file.split(",")))
        request = PretrainingRequest(
            do_lower_case=truth("do-lower-case", str(do_lower_case)) is not False,
            do_whole_word_mask=bool(truth("do-whole-word-mask", str(do_whole_word_mask))),
            max_ngram_size=whole_number("max-ngram-size", max_ngram_size),
            gzip_compress=bool(truth("gzip-compress", str(gzip_compress))),
            use_v2_feature_names=bool(truth("use-v2-feature-names", str(use_v2_feature_names))),
            max_seq_length=whole_number("max-seq-length", max_seq_length),
            max_predictions_per_seq=whole_number("max-predictions-per-seq", max_predictions_per_seq),
            random_seed=whole_number("random-seed", random_seed),
            dupe_factor=whole_number("dupe-factor", dupe_factor),
            masked_lm_prob=number("masked-lm-prob", masked_lm_prob),
            short_seq_prob=number("short-seq-prob", short_seq_prob),
            shards=len(outputs) or 1,
            masks=masks,
            vocab_reading=vocab_reading,
        )
        pretraining.prepare_pretraining_data(session, input_file, vocab_file, outputs, name, request)
