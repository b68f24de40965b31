"""Features of SQuAD questions for training, as the Model Garden's squad_lib makes them."""

import os
import reprlib
from collections import Counter
from dataclasses import dataclass, field

from squad_file import squad_json
from stage import StageInputError

from bertbuild.text.paragraphs import MARKS, Paragraph, starts_of
from stages._tfrecord import Feature, packed

_KINDS = {list: "a list", str: "a text", int: "a whole number, the place of a character"}
_MOST_DIGITS = 4000  # of a number; Python itself refuses more than 4300, and does not say where


@dataclass
class Made:
    """What came of some articles: the parts of each record but for unique_ids, and questions by what became of them.

    `left_out` are the ids of those whose answer is not in its paragraph, `wordless` of those whose answer has no word,
    `moved` of those whose answer is not just where it is said to begin, but in the words there.
    """

    records: list = field(default_factory=list)
    questions: int = 0
    left_out: list = field(default_factory=list)
    wordless: list = field(default_factory=list)
    moved: list = field(default_factory=list)
    several: int = 0

    @property
    def size(self):
        """What it counts for in the progress."""
        return self.questions


@dataclass(frozen=True)
class Sizes:
    """max_seq_length, max_query_length and doc_stride of upstream, all in pieces."""

    length: int
    query: int
    stride: int


class Features:
    """From articles to parts of records.

    Args:
        tokenizer: of `_reading`.
        path: the file, for what is said of it.
        sizes: the `Sizes`.
        negatives: whether questions may have no answer (SQuAD 2.0).
    """

    def __init__(self, tokenizer, path, sizes, *, negatives):
        self._tokenizer, self._path = tokenizer, path
        self._sizes = sizes
        self._negatives = negatives
        self._first, self._end = ([tokenizer.vocab[mark]] for mark in ("[CLS]", "[SEP]"))
        names = ("input_ids", "segment_ids", "paragraph_mask", "start_positions", "end_positions", "is_impossible")
        self._features = [Feature(name) for name in names]
        self._ones, self._zeros = b"\1" * sizes.length, bytes(sizes.length)
        mask = Feature("input_mask")
        self._masks = [mask(self._padded(self._ones[:count])) for count in range(sizes.length + 1)]
        self._class = Feature("class_index")(packed([0]))

    def __call__(self, article):
        """The `Made` of an article of SQuAD's JSON; raises `StageInputError` for one that no training can use."""
        made = Made()
        title = article.get("title", "?") if isinstance(article, dict) else article
        whose = "the article %s" % reprlib.repr(title)
        for paragraph in self._value(article, "paragraphs", list, whose):
            text = Paragraph(self._value(paragraph, "context", str, "a paragraph of " + whose), self._tokenizer)
            for question in self._value(paragraph, "qas", list, "a paragraph of " + whose):
                made.questions += 1
                self._question(text, question, made, whose)
        return made

    def _value(self, holder, key, kind, whose):
        """What a JSON object has under a key; raises `StageInputError` where that is nothing, or of another kind."""
        return value_of(self._path, holder, key, kind, whose)

    def _question(self, text, question, made, article):
        if not isinstance(question, dict) or "id" not in question:
            raise StageInputError("%s: a question of %s has no id; give it one or remove it" % (self._path, article))
        name = self._name(question["id"])
        answer = self._answer(question, name)
        found = None
        if answer is not None:
            made.several += len(question["answers"]) > 1
            words, start = (
                self._value(answer, key, kind, "the answer of question " + name)
                for key, kind in (("text", str), ("answer_start", int))
            )
            if not self._tokenizer.ids(words):
                made.wordless.append(name)
                return
            found = text.span(start, words)
            if found is None:
                made.left_out.append(name)
                return
            if not text.has(start, words):
                made.moved.append(name)
        asked = self._value(question, "question", str, "question " + name)
        query = self._tokenizer.ids(asked)[: self._sizes.query]
        room = self._sizes.length - len(query) - MARKS
        if room < 1:
            message = "%s: question %s has %d pieces, which leaves no room for its paragraph in --max-seq-length %d"
            raise StageInputError(message % (self._path, name, len(query), self._sizes.length))
        for start in starts_of(len(text.ids), room, self._sizes.stride):
            made.records.append(self._record(query, text.ids[start : start + room], start, found))

    def _name(self, number_or_text):
        """A question's id as text, which it is in all files of answers; some have numbers in their JSON."""
        if isinstance(number_or_text, bool) or not isinstance(number_or_text, (int, str)):
            message = "%s: a question's id is %s; make it a text or a whole number"
            raise StageInputError(message % (self._path, reprlib.repr(number_or_text)))
        return str(number_or_text)

    def _answer(self, question, name):
        """The first answer; None for a question that has none and need not have one."""
        if self._negatives:
            if "is_impossible" not in question:
                message = (
                    "question %s does not say is_impossible: this is SQuAD 1.1, to be prepared as --task SQUAD-1.1"
                )
                raise StageInputError(message % name)
            if not isinstance(question["is_impossible"], bool):
                message = "%s: question %s has is_impossible %s; make it true or false, without quotes"
                raise StageInputError(message % (self._path, name, reprlib.repr(question["is_impossible"])))
            if question["is_impossible"]:
                return None
        if not self._value(question, "answers", list, "question " + name):
            message = "%s: question %s has no answer; " % (self._path, name)
            hint = (
                "this is SQuAD 2.0, to be prepared as --task SQUAD-2.0"
                if question.get("is_impossible")
                else "fix the file or remove it"
            )
            raise StageInputError(message + hint)
        return question["answers"][0]

    def _record(self, query, span, start, found):
        """One window of a paragraph; `found` is the answer's span in the whole paragraph, or None."""
        ids = self._first + query + self._end + span + self._end
        before = len(query) + 2
        first = last = 0
        inside = found is not None and found[0] >= start and found[1] < start + len(span)
        if inside:
            first, last = (place - start + before for place in found)
        segments = self._zeros[:before] + self._ones[: len(span) + 1]
        # The Model Garden's paragraph mask holds [CLS] and the paragraph, without its [SEP].
        paragraph = b"\1" + self._zeros[: before - 1] + self._ones[: len(span)]
        values = (
            packed(ids) + self._zeros[: self._sizes.length - len(ids)],
            self._padded(segments),
            self._padded(paragraph),
            packed([first]),
            packed([last]),
            packed([not inside]),
        )
        parts = [feature(value) for feature, value in zip(self._features, values)]
        return b"".join((*parts, self._masks[len(ids)], self._class))

    def _padded(self, values):
        return values + self._zeros[: self._sizes.length - len(values)]


def value_of(path, holder, key, kind, whose):
    """What a JSON object has under a key; raises `StageInputError` where that is nothing, or of another kind."""
    if not isinstance(holder, dict) or key not in holder:
        message = "%s: %s has no %s, as SQuAD's form has it; fix it or remove it"
        raise StageInputError(message % (path, whose, key))
    value = holder[key]
    if not isinstance(value, kind) or isinstance(value, bool):
        message = "%s: %s has the %s %s; make it %s"
        raise StageInputError(message % (path, whose, key, reprlib.repr(value), _KINDS[kind]))
    return value


def made_of(make, article):
    """What `Features` make of an article."""
    return make(article)


def read(path):
    """The articles of a SQuAD file, JSON or JSON Lines; raises `StageInputError` where it is none."""
    if os.path.isdir(path):
        raise StageInputError("%s is a folder; name the SQuAD file in it" % path)
    with open(path, "rb") as file:
        content = file.read()
    if not content.strip():
        raise StageInputError("%s is empty; get the whole file" % path)
    try:
        articles = squad_json(path, content, parse_int=_whole_number)["data"]
    except (KeyError, TypeError) as error:
        raise StageInputError("%s is JSON, but not a SQuAD file: it has no list of data" % path) from error
    if not isinstance(articles, list):
        raise StageInputError("%s is JSON, but not a SQuAD file: its data are not a list" % path)
    if not articles:
        raise StageInputError("%s has no articles; get the whole file" % path)
    return articles


def _whole_number(digits):
    """The number; its digits where there are too many, so that whoever reads the key can name the question."""
    return int(digits) if len(digits) <= _MOST_DIGITS else digits


def repeated(articles):
    """The ids, as text, that several questions of articles have; `Features` have found the articles to be SQuAD's."""
    times = Counter(
        str(question["id"])
        for article in articles
        for paragraph in article["paragraphs"]
        for question in paragraph["qas"]
    )
    return [name for name, count in times.items() if count > 1]


def meta_data(sizes, count, *, negatives):
    """The Model Garden's meta data of `count` records, its keys in its order."""
    return {
        "task_type": "bert_squad",
        "train_data_size": count,
        "max_seq_length": sizes.length,
        "max_query_length": sizes.query,
        "doc_stride": sizes.stride,
        "version_2_with_negative": negatives,
    }


def questions(article):
    """How many questions an article has, 0 where it is not of SQuAD's form."""
    try:
        return sum(len(paragraph["qas"]) for paragraph in article["paragraphs"])
    except (KeyError, TypeError):
        return 0
