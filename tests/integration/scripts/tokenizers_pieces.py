"""In the data environment: what the package tokenizers makes of texts by the files that we write.

Request: {"texts": path of JSON lines [text, other or null], "files": [tokenizer.json, …], "out": path}. Writes JSON
lines, for each file and text [ids, segments, of a pair the ids of each text, uncut].
"""

import json
import sys

from tokenizers import Tokenizer

request = json.load(sys.stdin)
with open(request["texts"], encoding="utf-8") as file:  # noqa: PTH123
    texts = [json.loads(line) for line in file]
with open(request["out"], "w", encoding="utf-8") as out:  # noqa: PTH123
    for path in request["files"]:
        tokenizer = Tokenizer.from_file(path)
        tokenizer.no_padding()
        made = [tokenizer.encode(text, other) for text, other in texts]
        tokenizer.no_truncation()
        for (text, other), one in zip(texts, made, strict=True):
            whole = [
                tokenizer.encode(part, add_special_tokens=False).ids for part in (text, other) if other is not None
            ]
            out.write(json.dumps([one.ids, one.type_ids, whole]) + "\n")
print("{}")  # noqa: T201
