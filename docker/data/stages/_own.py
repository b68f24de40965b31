"""Own data prepared: tables with named columns, and CoNLL files; meta data in the Model Garden's form."""

import os
import random
from collections import Counter

from squad_file import LINES
from stage import StageInputError, step

from stages import _classification, _conll, _glue, _own_labels, _own_tables
from stages._tfrecord import Feature, packed, record

EXAMPLE_ID = Feature("example_id")
WORDS = "%s.conll"
"""Of tags: the words of a set and their tags, in the order of the records' places whose label is not -1."""
UNLABELLED = "%s: rows left out that are labelled -, since the annotators did not agree: %d"
SEED = 12345
_SHOWN = 10  # classes of a note; prepared.json has all
_OF_TABLES = ("text_column", "text_pair_column", "label_column", "regression")


def prepare(args, tokenizer, report):
    """Write the records of own data; gives meta data and facts."""
    found = _own_tables.files(args.data)
    of_tags = _own_tables.is_tagged(next(iter(found.values())))
    if of_tags:
        meta, facts = _prepare_tags(args, tokenizer, found, report)
    else:
        meta, facts = _prepare_tables(args, tokenizer, found, report)
    return meta, {"task": args.own_name, **facts}


def _prepare_tables(args, tokenizer, found, report):
    if not args.text_column or not args.label_column:
        message = "%s is a table: name its columns, --text-column and --label-column"
        if next(iter(found.values())).lower().endswith(LINES):
            message += "; of questions as SQuAD's give --task SQUAD-1.1 or SQUAD-2.0 in the place of own"
        raise StageInputError(message % next(iter(found.values())))
    texts = [name for name in (args.text_column, args.text_pair_column) if name]
    labels = _own_labels.labels_of(args, args.label_column.split(","))
    rows = {
        split: _own_tables.read_table(path, (*texts, *labels.columns), labels.columns if split == "test" else ())
        for split, path in found.items()
    }
    _leave_out_unlabelled(labels, rows, report)
    found, rows = _with_dev_set(args, found, rows, report)
    _learn(labels, rows, found)
    counts, classes, longest, cut = {}, {}, {}, {}
    for split, path in found.items():
        make = _classification.Features(tokenizer, args.max_seq_length, scores=labels.task_type == "regression")
        step("preparing %s" % split)
        unlabelled = split == "test" and all(row[labels.columns[0]] is None for _, row in rows[split])
        records = (
            make(
                [_text(row[name], where, name) for name in texts],
                labels.none() if unlabelled else labels.numbers(row, where),
            )
            for where, row in _own_labels.located(rows[split], path)
        )
        counts[split] = _write(args.out, split, records)
        longest[split], cut[split] = make.longest, make.cut
        if labels.labels and not unlabelled:
            classes[split] = _counted(labels, rows[split], path)
        _tell(split, counts[split], classes.get(split), make, args.max_seq_length, report)
    return _meta(args, labels.task_type, labels.labels, counts), {
        **_facts(labels.task_type, labels.head, labels.labels, counts),
        **({"class_counts": classes} if classes else {}),
        "longest": longest,
        "cut": cut,
        **({"score_range": list(labels.range)} if labels.task_type == "regression" else {}),
    }


def _with_dev_set(args, found, rows, report):
    """Files and rows with a dev set taken out of the training set, where --dev-share asks for one.

    Which rows those are depends on their number alone: the same file gives the same two sets.
    """
    if not args.dev_share:
        return found, rows
    if "eval" in found or "train" not in found:
        what = "has no training set" if "train" not in found else "has a dev set, %s" % os.path.basename(found["eval"])
        raise StageInputError("%s %s; leave --dev-share out" % (args.data, what))
    count = len(rows["train"])
    taken = max(1, round(count * float(args.dev_share)))
    if taken >= count:
        raise StageInputError("--dev-share %s leaves nothing of %d to train on" % (args.dev_share, count))
    dev = set(random.Random(SEED).sample(range(count), taken))  # noqa: S311 - no secret
    report.note("dev: %d of the %d of the training set (--dev-share %s)" % (taken, count, args.dev_share))
    apart = {
        "train": [row for number, row in enumerate(rows["train"]) if number not in dev],
        "eval": [row for number, row in enumerate(rows["train"]) if number in dev],
    }
    files = {"train": found["train"], "eval": found["train"]}
    return {**files, **found}, {**apart, **{split: some for split, some in rows.items() if split != "train"}}


def _leave_out_unlabelled(labels, rows, report):
    """Take out the rows of natural language inference that have no label, "-", as MNLI and SNLI have them."""
    if not isinstance(labels, _own_labels.Classes):
        return
    (column,) = labels.columns
    given = {row[column] for some in rows.values() for _, row in some} - {None}
    if labels.labels or given - {_glue.NO_LABEL} != set(_glue.INFERENCE) or _glue.NO_LABEL not in given:
        return
    for split, some in rows.items():
        rows[split] = [(line, row) for line, row in some if row[column] != _glue.NO_LABEL]
        if len(rows[split]) < len(some):
            report.note(UNLABELLED % (split, len(some) - len(rows[split])))


def _counted(labels, rows, path):
    """How many rows have each label, by its name."""
    counts = [0] * len(labels.labels)
    for where, row in _own_labels.located(rows, path):
        numbers = labels.numbers(row, where)
        for number in numbers if labels.task_type == "classification" else [n for n, one in enumerate(numbers) if one]:
            counts[number] += 1
    return dict(zip(labels.labels, counts))


def _tell(split, rows, classes, make, length, report):
    """Say how the classes of a split are spread, its longest row, and how many were cut."""
    if classes:
        report.note("%s: %d rows: %s" % (split, rows, _shown_counts(classes)))
    cut = "%d of %d rows are cut" % (make.cut, rows) if make.cut else "none of %d rows is cut" % rows
    report.note("%s: the longest row has %d pieces; %s to %d" % (split, make.longest, cut, length))


def _shown_counts(classes):
    return ", ".join(["%s %d" % pair for pair in list(classes.items())[:_SHOWN]] + ["…"] * (len(classes) > _SHOWN))


def _learn(labels, rows, found):
    """Find the labels in the training set, where they are not named."""
    if "train" in rows:
        labels.learn(rows["train"], found["train"])
    elif not labels.labels and labels.task_type != "regression":
        message = "%s is no training set, so nothing tells the labels; name them in the order of the model's: --labels"
        raise StageInputError(message % next(iter(found.values())))


def _prepare_tags(args, tokenizer, found, report):
    given = [name for name in _OF_TABLES if getattr(args, name)]
    if given or args.multi_label == "true":
        message = "%s is a CoNLL file, and --%s is for tables; leave it out"
        flag = (given or ["multi_label"])[0].replace("_", "-")
        raise StageInputError(message % (next(iter(found.values())), flag))
    sentences = {split: _conll.read(path, tagged=split != "test") for split, path in found.items()}
    found, sentences = _with_dev_set(args, found, sentences, report)
    labels = _tags(args, sentences, found)
    make = _conll.Features(tokenizer, args.max_seq_length)
    counts, words, cut, classes = {}, {}, {}, {}
    for split, path in found.items():
        step("preparing %s" % split)
        made = [
            make(number, sentence.tokens, _conll.numbers(sentence, labels, path))
            for number, sentence in enumerate(sentences[split])
        ]
        cut[split] = sum(len(parts) > 1 for parts in made)
        words[split] = sum(len(sentence.tokens) for sentence in sentences[split])
        if split != "test":
            tags = Counter(tag for sentence in sentences[split] for tag in sentence.tags)
            classes[split] = {tag: tags[tag] for tag in labels}
            told = (split, len(sentences[split]), words[split], _shown_counts(classes[split]))
            report.note("%s: sentences %d, words %d: %s" % told)
        counts[split] = _write(args.out, split, (parts for several in made for parts in several))
        if split != "train":
            _conll.write_words(os.path.join(args.out, WORDS % split), sentences[split])
        if cut[split]:
            text = "%s: %d of %d sentences are longer than %d pieces and become several examples; no word is lost"
            report.note(text % (split, cut[split], len(sentences[split]), args.max_seq_length))
    return _meta(args, "tagging", labels, counts), {
        **_facts("tagging", "tokens", labels, counts),
        "ignored_label": _conll.IGNORED,
        "sentences": {split: len(found) for split, found in sentences.items()},
        "words": words,
        "class_counts": classes,
    }


def _tags(args, sentences, found):
    """The tags in the order of their numbers: as named, else the training set's, sorted."""
    named = _own_labels.Classes("of tags", args.labels.split(",") if args.labels else ())
    rows = {
        split: [(line, {"of tags": tag}) for one in some for line, tag in zip(one.lines, one.tags)]
        for split, some in sentences.items()
    }
    _learn(named, rows, found)
    return named.labels


def _text(value, where, column):
    if not isinstance(value, str):
        raise StageInputError("%s, column %s: %r is no text; fix the row or remove it" % (where, column, value))
    if not value.strip():
        raise StageInputError("%s, column %s is empty; give the row a text or remove it" % (where, column))
    return value


def _write(out, split, records):
    """Write a split's file; how many records."""
    count = 0
    with open(os.path.join(out, split + ".tf_record"), "wb") as file:
        for parts in records:
            file.write(record(parts, EXAMPLE_ID(packed([count]))))
            count += 1
    return count


def _facts(task_type, head, labels, counts):
    return {"task_type": task_type, "head": head, "labels": list(labels), "examples": counts}


def _meta(args, task_type, labels, counts):
    """The Model Garden's meta data; of several labels it has none, and they are told as of tags."""
    meta = {
        "processor_type": args.own_name,
        "train_data_size": counts.get("train", 0),
        "max_seq_length": args.max_seq_length,
        "test_data_size": counts.get("test", 0),
    }
    if "eval" in counts:
        meta["eval_data_size"] = counts["eval"]
    if task_type == "regression":
        return {**meta, "task_type": "bert_regression", "label_type": "float"}
    meta["num_labels"] = len(labels)
    if task_type == "classification":
        return {**meta, "task_type": "bert_classification"}
    shape = args.max_seq_length if task_type == "tagging" else len(labels)
    return {**meta, "task_type": task_type, "label_type": "int", "label_shape": [shape], "label_list": list(labels)}
