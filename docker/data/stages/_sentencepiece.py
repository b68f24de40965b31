"""Text as google-research/albert reads it: its preprocess_text and encode_pieces (tokenization.py), over SentencePiece.

White space becomes single spaces, characters are decomposed (NFKD) and lose what combines with them, and are made small
where that is asked for. Of a piece that ends in a digit and a comma the comma becomes a piece of its own. That code
compares text with bytes where it would take a mark off what is in front of the comma, so under Python 3 it never does.
"""

import unicodedata

MARK = "\u2581"
"""What SentencePiece has in the place of a space."""


class SentencePiece:
    """A model of pieces.

    Attributes:
        model: the processor of the package sentencepiece.
        lower_case: whether letters are made small.
    """

    def __init__(self, path, lower_case):
        from sentencepiece import SentencePieceProcessor

        self.model = SentencePieceProcessor(model_file=str(path))
        self.lower_case = lower_case

    def ids(self, text):
        """The ids of a text's pieces: a new list."""
        return [self.model.piece_to_id(piece) for piece in self.pieces(text)]

    def pieces(self, text):
        """A text's pieces."""
        found = []
        for piece in self._encoded(prepared(text, self.lower_case)):
            if len(piece) > 1 and piece[-1] == "," and piece[-2].isdigit():
                found += [*self._encoded(piece[:-1].replace(MARK, "")), ","]
            else:
                found.append(piece)
        return found

    def _encoded(self, text):
        return self.model.encode(text, out_type=str)


def prepared(text, lower_case):
    """A text before it is cut into pieces."""
    text = unicodedata.normalize("NFKD", " ".join(text.split()))
    text = "".join(one for one in text if not unicodedata.combining(one))
    return text.lower() if lower_case else text
