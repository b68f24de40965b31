#!/usr/bin/env bash
# transformers 5 does not take a BERT's tokenizer.json as it is: the class that tokenizer_config.json names makes a tokenizer
# of its words anew. A limit of 200 characters for a word, which google-research/bert has, becomes 100. The class that does
# take the file gives no token_type_ids unless tokenizer_config.json lists them, so the second text of a pair gets segment 0.
#
# Seen with: Python 3.11, transformers 4.57.6 and 5.24.0, both without PyTorch. AutoTokenizer over one folder (tokenizer.json
# with max_input_chars_per_word 200), by the class that tokenizer_config.json names; ids of a word of 150 characters, and
# whether a pair has token_type_ids:
#   4.57.6  BertTokenizer 150 True   PreTrainedTokenizerFast 150 True
#   5.24.0  BertTokenizer 1 True     PreTrainedTokenizerFast 150 False
# What follows: such a word is [UNK] in 5, and pairs are answered as one text where a model is fed what the tokenizer gives.
# With "model_input_names": ["input_ids", "token_type_ids", "attention_mask"] PreTrainedTokenizerFast gives both in both.
#
# Exits with 0 while this is so, else with 1. Needs uv (or pip) and a package index; takes a minute or more.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

install() { # folder, packages…
    local folder=$1
    shift
    if command -v uv >/dev/null; then
        uv venv --quiet --python 3.11 "$folder" && uv pip install --quiet --python "$folder/bin/python" "$@"
    else
        python3.11 -m venv "$folder" && "$folder/bin/pip" install --quiet "$@"
    fi
}

read_by() { # version: class, ids of the long word, whether a pair has token_type_ids; of each class
    install "$work/env-$1" "transformers==$1"
    TRANSFORMERS_VERBOSITY=error HF_HUB_OFFLINE=1 "$work/env-$1/bin/python" - "$work/$1" <<'PYTHON'
import json
import pathlib
import sys

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import AutoTokenizer

folder = pathlib.Path(sys.argv[1])
folder.mkdir()
words = {word: number for number, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "x", "##x"])}
tokenizer = Tokenizer(models.WordPiece(words, unk_token="[UNK]", max_input_chars_per_word=200))
tokenizer.normalizer = normalizers.BertNormalizer()
tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
tokenizer.post_processor = processors.TemplateProcessing(
    single="[CLS]:0 $A:0 [SEP]:0", pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
)
tokenizer.save(str(folder / "tokenizer.json"))
(folder / "vocab.txt").write_text("".join(word + "\n" for word in words))
(folder / "config.json").write_text(json.dumps({"model_type": "bert"}))
names = ["input_ids", "token_type_ids", "attention_mask"]
told = []
for kind, more in (
    ("BertTokenizer", {}),
    ("PreTrainedTokenizerFast", {}),
    ("PreTrainedTokenizerFast", {"model_input_names": names}),
):
    marks = {f"{mark}_token": f"[{mark.upper()}]" for mark in ("pad", "unk", "cls", "sep", "mask")}
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": kind, **marks, **more}))
    loaded = AutoTokenizer.from_pretrained(folder)
    told += [str(len(loaded("x" * 150)["input_ids"]) - 2), str("token_type_ids" in loaded("x", "x"))]
print(*told)
PYTHON
}

four=$(read_by 4.57.6 2>"$work/said" || { cat "$work/said" >&2; exit 1; })
five=$(read_by 5.24.0 2>"$work/said" || { cat "$work/said" >&2; exit 1; })
echo "4.57.6: $four"
echo "5.24.0: $five"
[ "$four" = "150 True 150 True 150 True" ] || { echo "4.57.6 reads otherwise than it did"; exit 1; }
[ "$five" = "1 True 150 False 150 True" ] || { echo "5.24.0 reads otherwise than it did"; exit 1; }
