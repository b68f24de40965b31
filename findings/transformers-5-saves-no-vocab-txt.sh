#!/usr/bin/env bash
# transformers 5 saves a BERT's vocabulary in tokenizer.json alone; vocab.txt, which transformers 4 and every program of
# google-research/bert's format read, is not written any more.
#
# Seen with: Python 3.11, transformers 4.57.6 and 5.24.0, both without PyTorch. The same three lines (a vocabulary of six
# words, BertTokenizerFast, save_pretrained):
#   4.57.6  special_tokens_map.json tokenizer.json tokenizer_config.json vocab.txt
#   5.24.0  tokenizer.json tokenizer_config.json
# What follows: `run_classifier.py --vocab_file=FOLDER/vocab.txt` and what else wants that file fails on a model that was
# saved by 5; the words have to be taken out of tokenizer.json, in the order of their ids.
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

saved() { # version: the files that its save_pretrained writes
    install "$work/env-$1" "transformers==$1"
    TRANSFORMERS_VERBOSITY=error HF_HUB_OFFLINE=1 "$work/env-$1/bin/python" - "$work/$1" <<'PYTHON'
import pathlib
import sys

from transformers import BertTokenizerFast

folder = pathlib.Path(sys.argv[1])
(folder / "from").mkdir(parents=True)
words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the"]
(folder / "from" / "vocab.txt").write_text("".join(word + "\n" for word in words))
tokenizer = BertTokenizerFast.from_pretrained(folder / "from")
if tokenizer("the")["input_ids"] != [2, 5, 3]:
    sys.exit("the vocabulary was not read: " + str(tokenizer("the")["input_ids"]))
tokenizer.save_pretrained(folder / "saved")
print(*sorted(path.name for path in (folder / "saved").iterdir()))
PYTHON
}

four=$(saved 4.57.6 2>"$work/said" || { cat "$work/said"; exit 1; })
five=$(saved 5.24.0 2>"$work/said" || { cat "$work/said"; exit 1; })
echo "4.57.6: $four"
echo "5.24.0: $five"
case " $four " in *" vocab.txt "*) ;; *) echo "4.57.6 no longer writes vocab.txt"; exit 1 ;; esac
case " $five " in *" vocab.txt "*) echo "5.24.0 writes vocab.txt again"; exit 1 ;; esac
case " $five " in *" tokenizer.json "*) ;; *) echo "5.24.0 writes no tokenizer.json"; exit 1 ;; esac
