"""The answers to SQuAD's questions, by run_squad's own functions from the JSON to predictions.json."""

import functools
import os

from absl import flags
from squad_file import as_upstream_reads
from stage import StageInputError, step
from vocabulary import load_vocab

FLAGS = ("version_2_with_negative", "null_score_diff_threshold", "n_best_size", "max_answer_length")


def write_answers(args, prepared, source, trainer, work, report):
    """Write predictions.json and nbest_predictions.json, and null_odds.json where a question may have no answer.

    Args:
        args: of the stage.
        prepared: a `_prepared.Prepared`.
        source: a `_source.Source`, for its vocabulary.
        trainer: a `_trainer.Trainer`.
        work: a folder for the features.
        report: of the stage.

    Raises:
        StageInputError: the JSON is not SQuAD's.
    """
    from bert import run_squad, tokenization

    flags.FLAGS(["run_squad", *("--%s=%s" % (name, getattr(args, name)) for name in FLAGS)])
    step("reading %s" % os.path.basename(args.squad))
    examples = _read(as_upstream_reads(args.squad, work), run_squad)
    # The package's own does not count a line that is there a second time, which no other program does.
    tokenization.load_vocab = functools.partial(load_vocab, reading=prepared.vocab_reading)
    tokenizer = tokenization.FullTokenizer(os.path.join(source.folder, "vocab.txt"), prepared.do_lower_case)
    features = []
    writer = run_squad.FeatureWriter(os.path.join(work, "questions.tf_record"), is_training=False)

    def keep(feature):
        features.append(feature)
        writer.process_feature(feature)

    step("preparing %d questions" % len(examples))
    run_squad.convert_examples_to_features(
        examples, tokenizer, prepared.max_seq_length, args.doc_stride, args.max_query_length, False, keep
    )
    writer.close()
    step("predicting")
    results = [
        run_squad.RawResult(
            unique_id=int(found["unique_ids"]),
            start_logits=[float(value) for value in found["start_logits"].flat],
            end_logits=[float(value) for value in found["end_logits"].flat],
        )
        for found in trainer.predict(writer.filename, len(features))
    ]
    step("writing the answers")
    names = [os.path.join(args.out, name) for name in ("predictions.json", "nbest_predictions.json", "null_odds.json")]

    def write(n_best_size):
        run_squad.write_predictions(
            examples, features, results, n_best_size, args.max_answer_length, prepared.do_lower_case, *names
        )

    try:
        write(args.n_best_size)
    except AttributeError:
        # Upstream's code fails on a question whose n best spans all lie outside the text and none is left but "".
        report.note(
            "for some question none of the %d best spans is in the text: all spans were looked at" % args.n_best_size
        )
        write(prepared.max_seq_length)
    return {"questions": len(examples), "windows": len(features)}


def _read(path, run_squad):
    try:
        examples = run_squad.read_squad_examples(path, is_training=False)
    except (ValueError, KeyError, TypeError, UnicodeDecodeError, RecursionError) as error:
        raise StageInputError("%s is not a SQuAD file: %s: %s" % (path, type(error).__name__, error)) from error
    if not examples:
        raise StageInputError("%s holds no question" % path)
    return examples
