"""What a tokenizer.json is held to: google-research/bert's ids of a corpus."""

from concurrent.futures import ThreadPoolExecutor

from bertbuild.text import corpus, differences
from bertbuild.text.wordpiece import PAD, sequence

LONGEST = 64
"""Pieces that texts are cut to, so that pairs of the corpus are cut."""


def read_as_upstream(content, upstream, classes, length=LONGEST):
    """How the package tokenizers reads the corpus by a file, as `differences.Differences`.

    Args:
        content: of tokenizer.json, text.
        upstream: the tokenizer that reads as google-research/bert does, or google-research/albert.
        classes: the classes of differences that are listed.
        length: pieces that texts are cut to.
    """
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(content)
    tokenizer.no_padding()
    tokenizer.enable_truncation(length)
    texts = [text for texts in corpus.generated().values() for text in texts]
    with ThreadPoolExecutor(max_workers=1) as thread:  # which holds no lock of Python's
        reading = thread.submit(tokenizer.encode_batch_fast, [_asked(text) for text in texts])  # without places
        wanted_of = [[upstream.ids(part) for part in text if part is not None] for text in texts]
        read = reading.result()
    tokenizer.no_truncation()

    def rows():
        for text, parts, one in zip(texts, wanted_of, read):
            wanted = sequence(upstream, parts[0], parts[1] if len(parts) > 1 else None, length)
            is_pair_cut = wanted.cut and len(parts) > 1 and one.ids != wanted.ids
            alone = is_pair_cut and parts == [_ids(tokenizer, part) for part in text]
            tied = one.ids != wanted.ids and _tied(tokenizer, upstream, text)
            yield text, wanted, differences.Read(one.ids, one.attention_mask, one.type_ids, alone, tied)

    return differences.compared(rows(), classes, upstream.vocab.get(PAD, 0))


def _tied(tokenizer, upstream, text):
    """Whether each part of a text has the pieces of `upstream`, or such as are as likely to it."""
    ties = getattr(upstream, "ties", None)  # pieces of WordPiece have no scores
    read = [(part, _ids(tokenizer, part)) for part in text if part is not None]
    return ties is not None and all(ids == upstream.ids(part) or ties(part, ids) for part, ids in read)


def _asked(text):
    return text[0] if text[1] is None else text


def _ids(tokenizer, part):
    return tokenizer.encode(part, add_special_tokens=False).ids
