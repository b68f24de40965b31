"""The stage prepare-data: a task's files to TFRecords and meta data, as the Model Garden's create_finetuning_data.

Each example is upstream's, feature by feature, in upstream's order.
"""

import contextlib
import hashlib
import json
import os
import time
from importlib.metadata import version

from stage import Stage, StageInputError, progress, step, write_json
from vocabulary import LINES, declare_reading

from bertbuild.families.bert_names import VOCAB_FILE
from stages import _classification, _glue, _own, _reading, _rows, _squad
from stages._tfrecord import Feature, packed, record

SQUAD = ("SQUAD-1.1", "SQUAD-2.0")
OWN = "own"

STAGE = Stage("prepare-data", description=__doc__)
STAGE.input("data", help="folder with the task's files, a SQuAD file (.json), or a file of own data")
STAGE.input("vocab", help="the model's vocab.txt, or its model of SentencePiece")
STAGE.param(
    "task",
    required=True,
    choices=(*_glue.NAMES, *SQUAD, OWN),
    help="the task, as the Model Garden spells it; own: your own files",
)
STAGE.param("max-seq-length", type=int, default=128, help="pieces of a sequence, marks counted (default: 128)")
STAGE.param("do-lower-case", default="true", choices=("true", "false"), help="make letters small (default: true)")
STAGE.param("mnli-type", default="matched", choices=("matched", "mismatched"), help="which dev and test set of MNLI")
STAGE.param("xnli-language", default="en", choices=(*_glue.LANGUAGES, "all"), help="of XNLI's training data")
declare_reading(STAGE)
STAGE.param("max-query-length", type=int, default=64, help="pieces of a SQuAD question (default: 64)")
STAGE.param("doc-stride", type=int, default=128, help="pieces between two windows of a paragraph (default: 128)")
STAGE.param("own-name", default="own", help="what own data are called (default: own)")
STAGE.param("text-column", default="", help="of own tables: the column of texts")
STAGE.param("text-pair-column", default="", help="of own tables: the column of second texts, where there are pairs")
STAGE.param(
    "label-column", default="", help="of own tables: the column of labels; of --multi-label several, with commas"
)
STAGE.param(
    "label-separator", default=",", help="of --multi-label: what stands between the labels of a row (default: ,)"
)
STAGE.param("labels", default="", help="of own data: the labels in the order of their numbers, with commas")
STAGE.param("regression", default="", help="of own tables: labels are scores in this range: LOW,HIGH")
STAGE.param(
    "multi-label", default="false", choices=("true", "false"), help="of own tables: a row has any of the labels"
)

STAGE.param("dev-share", default="", help="of own data: the share of the training set that becomes the dev set")

SPLITS = ("train", "eval", "test")
EXAMPLE_ID, UNIQUE_ID = Feature("example_id"), Feature("unique_ids")
FIRST_UNIQUE_ID = 1000000000
ALL_CORES_FROM = 3 << 20  # bytes of input; below, a second process takes longer to begin than to help
TOLD_EVERY = 0.2  # seconds
UNLABELLED = _own.UNLABELLED


def run(args, report):
    """Write the records and meta data."""
    if args.max_seq_length < _squad.MARKS:
        raise StageInputError("--max-seq-length %d leaves no room for a word" % args.max_seq_length)
    words = _reading.read_words(args.vocab, args.vocab_reading)
    tokenizer = _reading.tokenizer_of(args.vocab, words, args.do_lower_case == "true", args.vocab_reading)
    of_others = prepare_squad if args.task in SQUAD else prepare_rows
    prepare = _own.prepare if args.task == OWN else of_others
    meta, facts = prepare(args, tokenizer, report)
    with open(os.path.join(args.out, "meta_data.json"), "w") as file:
        file.write(json.dumps(meta, indent=4) + "\n")  # in upstream's form and order
    with open(args.vocab, "rb") as file:
        vocab = hashlib.sha256(file.read()).hexdigest()
    common = {
        "max_seq_length": args.max_seq_length,
        "do_lower_case": args.do_lower_case == "true",
        "vocab_sha256": vocab,
        **({"vocab_reading": args.vocab_reading or LINES} if words.file == VOCAB_FILE else {}),
        "version_2_with_negative": args.task == "SQUAD-2.0",
    }
    write_json(args.out, "prepared.json", {**common, **facts})
    report.packages = {name: version(name) for name in _reading.packages(words)}
    report.facts = {"examples": facts["examples"]}


def prepare_rows(args, tokenizer, report):
    """Of a task of GLUE or XNLI: upstream's meta data, and facts."""
    task = _glue.task_named(args.task, args.mnli_type, args.xnli_language)
    splits = {split: _rows.files(args.data, args.task, task, split) for split in SPLITS}
    if not any(splits.values()):
        names = ", ".join(table.file for table in (*task.train, *task.eval, *task.test))
        message = "%s holds no data of %s, whose files are %s; fetch it, or name the folder that holds them"
        raise StageInputError(message % (args.data, args.task, names))
    for file in (file for split in SPLITS for file in splits[split]):
        if odd := file.header():
            report.note(odd)
    make = _classification.Features(tokenizer, args.max_seq_length, scores=task.labels is None)
    sizes = {split: sum(os.path.getsize(file.path) for file in splits[split]) for split in SPLITS}
    told = Progress(sum(sizes.values()))
    counts = {}
    for split in SPLITS:
        if splits[split]:
            step("preparing %s" % split)
            blocks = (block for file in splits[split] for block in file.blocks())
            made = in_order(_rows.made_of, blocks, make, size=sizes[split])
            counts[split] = write_rows(args.out, split, task.languages(split), told.over(made), report)
    return _glue.meta_data(task, args.max_seq_length, counts), {
        "task": args.task,
        "task_type": "regression" if task.labels is None else "classification",
        "head": "regression" if task.labels is None else "classifier",
        "labels": list(task.labels or ()),
        "examples": counts,
        **({"score_range": [0.0, _rows.MOST_SCORE]} if task.labels is None else {}),
    }


def write_rows(out, split, languages, blocks, report):
    """Write a split's file, or one for each of its languages; how many records, or how many by language."""
    blank = short = unlabelled = 0
    wide = []
    with contextlib.ExitStack() as open_files:
        names = {language: "%s_%s" % (split, language) if language else split for language in languages}
        paths = {language: os.path.join(out, name + ".tf_record") for language, name in names.items()}
        files = {language: open_files.enter_context(open(path, "wb")) for language, path in paths.items()}
        counts = dict.fromkeys(languages, 0)
        for made in blocks:
            blank, short = blank + made.blank, short + made.short
            wide += made.wide
            unlabelled += made.unlabelled
            for language, parts in made.records:
                files[language].write(record(parts, EXAMPLE_ID(packed([counts[language]]))))
                counts[language] += 1
    if short:
        report.note("%s: %d rows have too few columns and are left out, as upstream leaves them out" % (split, short))
    if wide:
        some = ", ".join(map(str, wide[:3])) + (", …" if len(wide) > 3 else "")
        text = (
            "%s: %d rows are left out, since one of their texts holds a tab: they are wider than the header (line %s)"
        )
        report.note(text % (split, len(wide), some))
    if unlabelled:
        report.note(UNLABELLED % (split, unlabelled))
    if blank:
        report.note("%s: %d blank lines are left out" % (split, blank))
    return counts.get(None, counts)


def prepare_squad(args, tokenizer, report):
    """Of a SQuAD file, as training data: upstream's meta data, and facts."""
    if args.doc_stride < 1 or args.max_query_length < 1:
        raise StageInputError("--doc-stride and --max-query-length must be at least 1")
    negatives = args.task == "SQUAD-2.0"
    articles = _squad.read(args.data)
    sizes = _squad.Sizes(args.max_seq_length, args.max_query_length, args.doc_stride)
    make = _squad.Features(tokenizer, args.data, sizes, negatives=negatives)
    told = Progress(sum(map(_squad.questions, articles)))
    step("preparing train")
    total, count = _squad.Made(), 0
    with open(os.path.join(args.out, "train.tf_record"), "wb") as file:
        for made in told.over(in_order(_squad.made_of, articles, make, size=os.path.getsize(args.data))):
            total.questions += made.questions
            total.several += made.several
            total.left_out += made.left_out
            total.wordless += made.wordless
            total.moved += made.moved
            for parts in made.records:
                file.write(record(UNIQUE_ID(packed([FIRST_UNIQUE_ID + count])), parts))
                count += 1
    repeated = _squad.repeated(articles)
    for names, text in (
        (
            total.left_out,
            "%d of %d questions are left out, as upstream does: their answers are not in their paragraphs",
        ),
        (total.wordless, "%d of %d questions are left out, since their answers have no word"),
        (
            total.moved,
            "%d of %d questions have an answer that is not at its answer_start; it is labelled in the words there",
        ),
        (repeated, "%d ids (of %d questions in all) belong to several questions each; all of these are taken"),
    ):
        if names:
            some = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
            report.note(text % (len(names), total.questions) + " (%s)" % some)
    if total.several:
        text = "%d questions have several answers; the first is taken (upstream's program stops there)"
        report.note(text % total.several)
    if not count:
        raise StageInputError("%s has no question whose answer is in its paragraph; get another copy of it" % args.data)
    return _squad.meta_data(sizes, count, negatives=negatives), {
        "task": args.task,
        "task_type": "squad",
        "head": "span",
        "labels": [],
        "max_query_length": sizes.query,
        "doc_stride": sizes.stride,
        "questions": total.questions,
        "left_out": len(total.left_out) + len(total.wordless),
        "moved": len(total.moved),
        "repeated_ids": len(repeated),
        "examples": {"train": count},
    }


def in_order(function, items, make, *, size):
    """`function(make, item)` of each item, by all cores where there is enough to do."""
    if size < ALL_CORES_FROM:
        return (function(make, item) for item in items)
    from stages._ordered import ordered

    return ordered(function, items, make)


class Progress:
    """Says how far the stage is, a few times a second."""

    def __init__(self, total):
        self._done, self._total, self._told = 0, total, time.monotonic()

    def over(self, made):
        """The same things, counted by their `size` as they go by."""
        for one in made:
            yield one
            self._done += one.size
            if time.monotonic() - self._told > TOLD_EVERY:
                self._told = time.monotonic()
                progress(min(self._done, self._total), self._total)


if __name__ == "__main__":
    STAGE.main(run)
