"""In the tf2 environment: the words that the Model Garden's BasicTokenizer finds in texts, and those that ours finds.

Request: {"step": take one of so many code points, "mixes": how many texts at random}. Answers how many texts were
compared, and the first that differ.
"""

import json
import os
import random
import sys
import unicodedata
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
sys.path.insert(0, str(Path(__file__).parent / "stand_ins"))
sys.path.insert(0, str(Path(__file__).parents[3] / "docker" / "common"))
sys.path.insert(0, str(Path(__file__).parents[3] / "docker" / "data"))
sys.path.insert(0, str(Path(__file__).parents[3]))

from official.nlp.tools import tokenization
from stages._wordpiece import WordPiece

LAST = 0x110000
MARKS = [chr(number) for number in range(LAST) if unicodedata.combining(chr(number))]
POOLS = (
    [chr(number) for number in range(0, LAST, 7)],
    MARKS,
    [chr(number) for number in range(0x250)],
    [chr(number) for number in range(0x370, 0x400)],
    [chr(number) for number in (*range(0x3400, 0xA000, 37), *range(0xAC00, 0xD7A4, 11), *range(0x2B7F0, 0x2B930))],
    list("Σa b\u0301\u2028\x1c\u00ad\u200d"),
)


def texts(request):
    for number in (*range(0x3100), *range(0x3100, LAST, request["step"])):
        yield chr(number)
        yield f"A{chr(number)}b"
    chance = random.Random(1)  # noqa: S311
    for _ in range(request["mixes"]):
        yield "".join(chance.choice(chance.choice(POOLS)) for _ in range(chance.randint(1, 14)))


request = json.load(sys.stdin)
count, differing = 0, []
for lower_case in (True, False):
    ours, theirs = WordPiece({"[UNK]": 0}, lower_case), tokenization.BasicTokenizer(lower_case)
    for text in texts(request):
        count += 1
        found = [word for part in text.split(" ") for word in ours.words(part)]
        if found != theirs.tokenize(text):
            differing.append([lower_case, ascii(text)])
json.dump({"texts": count, "differing": differing[:20]}, sys.stdout)
