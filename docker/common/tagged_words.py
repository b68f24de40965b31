"""A test set's words with the tag that a model tells each. Python 3.6-safe, like all of this folder."""

from stage import StageInputError

RESULTS = "test_results.conll"


def write_tags(path, words, tags):
    """Write words as they were given, a column more: the tag that is told.

    Args:
        path: where to.
        words: path of a CoNLL file: a word a line, an empty line after each sentence.
        tags: a tag for each word, in their order.

    Raises:
        StageInputError: there are not as many tags as words.
    """
    told = iter(tags)
    wrong = StageInputError("the records are not of the words in %s; prepare the data again" % words)
    with open(words, encoding="utf-8") as asked, open(path, "w", encoding="utf-8") as file:
        for line in asked:
            word = line.rstrip("\n")
            if not word:
                file.write("\n")
                continue
            tag = next(told, None)
            if tag is None:
                raise wrong
            file.write("%s\t%s\n" % (word, tag))
    if next(told, None) is not None:
        raise wrong
