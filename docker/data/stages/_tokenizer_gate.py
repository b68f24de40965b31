"""What a tokenizer.json is held to: google-research/bert's ids of a corpus."""

from bertbuild.text import corpus, differences
from bertbuild.text.wordpiece import PAD, FullTokenizer, sequence

LONGEST = 64
"""Pieces that texts are cut to, so that pairs of the corpus are cut."""


def read_as_upstream(path, vocab, lower_case, special, positions):
    """How the package tokenizers reads the corpus by a file, as `differences.Differences`.

    Args:
        path: of tokenizer.json.
        vocab: piece → number.
        lower_case: whether letters are made small, and accents taken off.
        special: whether the file has special tokens in a text as such.
        positions: pieces that the model takes at most.
    """
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_padding()
    length = min(LONGEST, positions)
    tokenizer.enable_truncation(length)
    upstream = FullTokenizer(vocab, lower_case=lower_case)
    texts = [text for texts in corpus.generated().values() for text in texts]
    read = tokenizer.encode_batch([_asked(text) for text in texts])
    tokenizer.no_truncation()

    def rows():
        for text, one in zip(texts, read):
            parts = [upstream.ids(part) for part in text if part is not None]
            wanted = sequence(upstream, parts[0], parts[1] if len(parts) > 1 else None, length)
            is_pair_cut = wanted.cut and len(parts) > 1 and one.ids != wanted.ids
            alone = is_pair_cut and parts == [_ids(tokenizer, part) for part in text]
            yield text, wanted, differences.Read(one.ids, one.attention_mask, one.type_ids, alone)

    classes = differences.of_tokenizer_json(lower_case=lower_case, special=special)
    return differences.compared(rows(), classes, vocab.get(PAD, 0))


def _asked(text):
    return text[0] if text[1] is None else text


def _ids(tokenizer, part):
    return tokenizer.encode(part, add_special_tokens=False).ids
