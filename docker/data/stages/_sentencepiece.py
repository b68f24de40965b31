"""Text as google-research/albert reads it, over the package sentencepiece: it reads data, and others are held to it."""

from bertbuild.text.pieces import Reading, numbered


class SentencePiece(Reading):
    """The tokenizer.

    Args:
        path: of the model.
        model: what it holds, a `PieceModel`.
        lower_case: whether letters are made small.
    """

    def __init__(self, path, model, lower_case):
        from sentencepiece import SentencePieceProcessor

        super().__init__(numbered(model), lower_case=lower_case)
        self._processor = SentencePieceProcessor(model_file=str(path))

    def encoded(self, text):
        """A prepared text's pieces."""
        return self._processor.encode(text, out_type=str)
