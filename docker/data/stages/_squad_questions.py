"""The windows of SQuAD's questions that are to be answered, and the words that answers are made of."""

import reprlib
from functools import partial

from stage import StageInputError

from bertbuild.text.paragraphs import MARKS, Paragraph, starts_of
from stages._squad import value_of


class Questions:
    """The windows of questions that are to be answered, as run_squad.py makes them; an answer need not be in its text.

    `rows`: (question, first, begin, count) of each window, as `answer_spans` has them; `ids`: its ids; `firsts`: where
    its second segment begins; `answers`: the right answers' texts of each question.
    """

    def __init__(self, tokenizer, words, path, sizes):
        self._tokenizer, self._words, self._path, self._sizes = tokenizer, words, path, sizes
        self._first, self._end = ([tokenizer.vocab[mark]] for mark in ("[CLS]", "[SEP]"))
        self.rows, self.ids, self.firsts, self.answers = [], [], [], []

    def of(self, article):
        """Add an article's windows; gives what questions.json says of it. Raises `StageInputError`."""
        title = article.get("title", "?") if isinstance(article, dict) else article
        whose = "a paragraph of the article %s" % reprlib.repr(title)
        held = partial(value_of, self._path)
        paragraphs = held(article, "paragraphs", list, "the article %s" % reprlib.repr(title))
        return {"paragraphs": [self._paragraph(paragraph, whose, held) for paragraph in paragraphs]}

    def _paragraph(self, paragraph, whose, held):
        text = Paragraph(held(paragraph, "context", str, whose), self._tokenizer)
        told = {
            "words": text.words,
            "pieces": self._words.spelt(text.ids),
            "word_of_piece": text.word_of_piece(),
            **self._words.said(self._tokenizer, text.words),
            "qas": [],
        }
        for question in held(paragraph, "qas", list, whose):
            if not isinstance(question, dict) or "id" not in question:
                raise StageInputError("%s: a question of %s has no id; give it one or remove it" % (self._path, whose))
            name = "question %s" % reprlib.repr(question["id"])
            answers = held(question, "answers", list, name)
            texts = [held(answer, "text", str, "an answer of " + name) for answer in answers]
            told["qas"].append({"id": str(question["id"]), "answers": [{"text": text} for text in texts]})
            self._windows(held(question, "question", str, name), text.ids, name)
            self.answers.append(texts)
        return told

    def _windows(self, question, ids, name):
        query = self._tokenizer.ids(question)[: self._sizes.query]
        first, room = len(query) + 2, self._sizes.length - len(query) - MARKS
        if room < 1:
            message = "%s: %s has %d pieces, which leaves no room for its paragraph in --max-seq-length %d"
            raise StageInputError(message % (self._path, name, len(query), self._sizes.length))
        for begin in starts_of(len(ids), room, self._sizes.stride):
            part = ids[begin : begin + room]
            self.rows.append((len(self.answers), first, begin, len(part)))
            self.ids.append(self._first + query + self._end + part + self._end)
            self.firsts.append(first)
