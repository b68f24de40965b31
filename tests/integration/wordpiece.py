"""BERT's greedy longest-match-first tokenizer (arXiv:1609.08144) for plain lower-case English."""

from __future__ import annotations

import re

import numpy as np


class WordPiece:
    def __init__(self, vocab):
        self.ids = {word: index for index, word in enumerate(vocab.read_text(encoding="utf-8").split("\n")) if word}

    def pieces(self, word):
        found, start = [], 0
        while start < len(word):
            mark = "##" if start else ""
            end = next((end for end in range(len(word), start, -1) if mark + word[start:end] in self.ids), None)
            if end is None:
                return ["[UNK]"]
            found.append(mark + word[start:end])
            start = end
        return found

    def encode(self, texts):
        """Texts as one padded batch of the three inputs, int32 [B, S]."""
        rows = []
        for text in texts:
            words = re.findall(r"\w+|[^\w\s]", text.lower())
            rows.append(["[CLS]", *(piece for word in words for piece in self.pieces(word)), "[SEP]"])
        shape = (len(rows), max(map(len, rows)))
        batch = {name: np.zeros(shape, np.int32) for name in ("input_ids", "input_mask", "segment_ids")}
        for number, row in enumerate(rows):
            batch["input_ids"][number, : len(row)] = [self.ids[piece] for piece in row]
            batch["input_mask"][number, : len(row)] = 1
        return batch
