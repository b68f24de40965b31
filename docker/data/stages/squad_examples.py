"""squad-examples: the questions of a SQuAD file as arrays, which infer stages take, and the text of their answers.

Writes features.npz: int32 arrays [N, S] input_ids, input_mask, segment_ids of N windows, in upstream's order, and the
arrays [N] that `answer_spans` describes; and questions.json: the articles with words and pieces, and how the text was
read. The windows are run_squad.py's for --do_predict, number for number.
"""

import os

from stage import Stage, StageInputError, step, write_json
from vocabulary import declare_reading

ROLES = ("input_ids", "input_mask", "segment_ids")
LONGEST_WORD = 200  # google-research/bert's: a longer one is unknown

STAGE = Stage("squad-examples", __doc__.splitlines()[0])
STAGE.input("data", "a SQuAD file (.json)")
STAGE.input("vocab", "the model's vocab.txt, or its model of SentencePiece")
STAGE.param("do-lower-case", "make letters small (default: true)", default="true", choices=("true", "false"))
STAGE.param("max-seq-length", "pieces of a window, marks counted (default: 384)", type=int, default=384)
STAGE.param("max-query-length", "pieces of a question (default: 64)", type=int, default=64)
STAGE.param("doc-stride", "pieces between two windows (default: 128)", type=int, default=128)
declare_reading(STAGE)


def run(args, report):
    """Read, tokenize, write."""
    from importlib.metadata import version

    import numpy as np

    from stages import _reading, _squad, _squad_questions

    if args.doc_stride < 1 or args.max_query_length < 1:
        raise StageInputError("--doc-stride and --max-query-length must be at least 1")
    articles = _squad.read(args.data)
    step("tokenizing %d questions" % sum(map(_squad.questions, articles)))
    lower_case = args.do_lower_case == "true"
    words = _reading.read_words(args.vocab, args.vocab_reading)
    tokenizer = _reading.tokenizer_of(args.vocab, words, lower_case, args.vocab_reading, LONGEST_WORD)
    sizes = _squad.Sizes(args.max_seq_length, args.max_query_length, args.doc_stride)
    questions = _squad_questions.Questions(tokenizer, words, args.data, sizes)
    told = [questions.of(article) for article in articles]
    if not questions.rows:
        raise StageInputError("%s holds no question with a paragraph" % args.data)

    step("writing features.npz")
    np.savez(os.path.join(args.out, "features.npz"), **arrays(questions, args.max_seq_length))
    negatives = any(not answers for answers in questions.answers)
    facts = {"articles": told, "lower_case": lower_case, "negatives": negatives}
    write_json(args.out, "questions.json", facts)
    report.packages = {name: version(name) for name in (*_reading.packages(words), "numpy")}
    report.facts = {"questions": len(questions.answers), "windows": len(questions.rows)}


def arrays(questions, length):
    """What features.npz holds."""
    import numpy as np

    found = {role: np.zeros((len(questions.rows), length), np.int32) for role in ROLES}
    for number, (ids, segment) in enumerate(zip(questions.ids, questions.firsts)):
        found["input_ids"][number, : len(ids)] = ids
        found["input_mask"][number, : len(ids)] = 1
        found["segment_ids"][number, segment : len(ids)] = 1
    windows = np.array(questions.rows, np.int32)
    found.update(zip(("question", "first", "begin", "count"), windows.T))
    return found


if __name__ == "__main__":
    STAGE.main(run)
