"""In the data environment: a small model of SentencePiece, with the special pieces of google-research/albert's.

Request: {"out": path, "size": pieces, "seed": of the words}. The trainer gives the same model each time.
"""

import io
import json
import random
import sys
from pathlib import Path

from sentencepiece import SentencePieceTrainer

request = json.load(sys.stdin)
chance = random.Random(request["seed"])  # noqa: S311 - no secret
words = ["".join(chance.choice("abcdefghij") for _ in range(chance.randint(2, 6))) for _ in range(60)]
texts = [" ".join(chance.choice([*words, "1999,", "3,"]) for _ in range(8)) for _ in range(300)]
model = io.BytesIO()
SentencePieceTrainer.train(
    sentence_iterator=iter(texts),
    model_writer=model,
    vocab_size=request["size"],
    model_type="unigram",
    pad_id=0,
    unk_id=1,
    bos_id=-1,
    eos_id=-1,
    control_symbols="[CLS],[SEP],[MASK]",
    user_defined_symbols="(,),-,.",
    num_threads=1,
    minloglevel=2,
)
Path(request["out"]).write_bytes(model.getvalue())
sys.stdout.write("{}\n")
