"""In the openvino environment: what the models of `build-ir --text` make of texts.

Request: {"root": of the repository, "texts": path of JSON lines [text, other or null], "vocabularies": [[vocab.txt,
lower case], …], "length", "special", "out": path}. Writes JSON lines, for each vocabulary and text [ids, segments].
"""

import json
import os
import sys
from pathlib import Path

import numpy as np
import openvino

request = json.load(sys.stdin)
docker = Path(request["root"]) / "docker"
sys.path[:0] = [str(docker / "openvino"), str(docker / "common"), request["root"]]

from stages import _strings, _text_graph  # noqa: E402

from bertbuild.checkpoint.tokenizer_file import read_words  # noqa: E402


def read(models, text, other):
    feeds = {"text": np.array([text])}
    if other is not None:
        feeds["text_pair"] = np.array([other])
    found = models[other is not None](feeds)
    return [found[name][0].tolist() for name in ("input_ids", "segment_ids")]


def main():
    with open(request["texts"], encoding="utf-8") as file:  # noqa: PTH123
        texts = [json.loads(line) for line in file]
    core = openvino.Core()
    core.add_extension(str(_strings.EXTENSION))
    with open(request["out"], "w", encoding="utf-8") as out:  # noqa: PTH123
        for path, lower_case in request["vocabularies"]:
            how = read_words(Path(path).read_bytes()), lower_case, request["length"]
            graphs = (_text_graph.tokenizer(*how, pairs, request["special"]) for pairs in (False, True))
            models = [core.compile_model(graph, "CPU") for graph in graphs]
            out.writelines(json.dumps(read(models, *text)) + "\n" for text in texts)
    print("{}", flush=True)  # noqa: T201
    os._exit(0)  # graphs of the extension's operators, made here, end the interpreter with a signal (OpenVINO 2026.4.1)


main()
