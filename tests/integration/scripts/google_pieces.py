"""In the tf1 environment: what google-research/bert's own FullTokenizer and run_classifier make of texts.

TensorFlow is not loaded: of it, tokenization.py uses gfile.GFile alone, which `open` stands in for; of
run_classifier.py one function is taken.

Request: {"texts": path of JSON lines [text, other or null], "vocabularies": [[vocab.txt, lower case], …], "length",
"out": path}. Writes JSON lines, for each vocabulary and text [ids, segments]. Answers with the characters of the texts
that its Python has no name for ("unknown").
"""

import ast
import importlib.util
import json
import sys
import types
import unicodedata
from pathlib import Path

from absl import flags

PACKAGE = Path(importlib.util.find_spec("bert").submodule_search_locations[0])


def tokenization():
    stand_in = types.ModuleType("tensorflow")
    stand_in.gfile = types.SimpleNamespace(GFile=lambda path, mode: open(path, mode, encoding="utf-8"))  # noqa: PTH123, SIM115
    names = ("tensorflow", "tensorflow.compat", "tensorflow.compat.v1")
    sys.modules.update(dict.fromkeys(names, stand_in))
    stand_in.compat = stand_in.v1 = stand_in
    spec = importlib.util.spec_from_file_location("tokenization", str(PACKAGE / "tokenization.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    flags.FLAGS([""])
    return module


def truncation():
    tree = ast.parse((PACKAGE / "run_classifier.py").read_text(encoding="utf-8"))
    (found,) = (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "_truncate_seq_pair")
    names = {}
    exec(compile(ast.Module([found]), "run_classifier.py", "exec"), names)  # noqa: S102 - upstream's own
    return names[found.name]


def pieces_of(tokenizer, truncate, text, other, length):
    first = tokenizer.tokenize(text)
    second = [] if other is None else tokenizer.tokenize(other)
    if other is None:
        first = first[: length - 2]
    else:
        truncate(first, second, length - 3)
    ids = tokenizer.convert_tokens_to_ids(
        ["[CLS]", *first, "[SEP]", *second, *(["[SEP]"] if other is not None else [])]
    )
    begin = len(first) + 2
    return [ids, [0] * begin + [1] * (len(ids) - begin)]


def main():
    request = json.load(sys.stdin)
    texts = [json.loads(line) for line in Path(request["texts"]).read_text(encoding="utf-8").split("\n") if line]
    full, truncate = tokenization().FullTokenizer, truncation()
    with open(request["out"], "w") as out:  # noqa: PTH123
        for path, lower_case in request["vocabularies"]:
            tokenizer = full(path, do_lower_case=lower_case)
            out.writelines(
                json.dumps(pieces_of(tokenizer, truncate, text, other, request["length"])) + "\n"
                for text, other in texts
            )
    characters = {char for pair in texts for text in pair if text is not None for char in text}
    unknown = "".join(sorted(char for char in characters if unicodedata.category(char) == "Cn"))
    print(json.dumps({"unknown": unknown}))  # noqa: T201


main()
