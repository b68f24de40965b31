"""Files of every task of GLUE, XNLI and SQuAD made of texts that are hard to cut into pieces."""

from __future__ import annotations

import random

WORDS = (
    *("the", "The", "unaffable", "Unaffable,", "don't", "U.S.", "ΣΑΣ", "ΟΔΟΣ,", "İstanbul", "naïve", "Ångström", "ﬁne"),
    *(
        "東京",
        "a東b",
        "𫠠𫠡",
        "한국어",
        "ا؝ب",
        "e\u0301",
        "a\u0315\u0300b",
        "x\u200dy",
        "soft\u00adhyphen",
        "\ufffd",
        "🙂",
    ),
    *(
        "[MASK]",
        "[SEP]",
        "##ing",
        "\ue000",
        "≠",
        "a\u2028b",
        "no\u00a0break",
        "tab\x0bend",
        "w" * 90,
        "é" * 250,
        "1,000.50",
    ),
)
LANGUAGES = ("ar", "bg", "de", "el", "en", "es", "fr", "hi", "ru", "sw", "th", "tr", "ur", "vi", "zh")
NLI = ("contradiction", "entailment", "neutral")
VOCABULARY = (
    *(
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        "the",
        "The",
        "un",
        "##aff",
        "##able",
        "don",
        "'",
        "t",
        "u",
        "s",
        ".",
    ),
    *(
        "σασ",
        "σας",
        "οδος",
        "istanbul",
        "naive",
        "angstrom",
        "東",
        "京",
        "𫠠",
        "=",
        "[",
        "]",
        "mask",
        "#",
        "##s",
        "e",
        "a",
    ),
    *(
        "b",
        "##b",
        "ab",
        "x",
        "xy",
        "soft",
        "##hyphen",
        "no",
        "break",
        "tab",
        "##end",
        "w",
        "##w",
        "1",
        ",",
        "000",
        "50",
        "İ",
    ),
)


def text(chance, most=40):
    return " ".join(chance.choice(WORDS) for _ in range(chance.randrange(1, most)))


def table(path, header, chance, rows=40, *, write_header=True, **cells):
    """Write rows under a header: by the name of a column texts at random, or one of the labels given for it."""
    names = header.split()
    lines = [header.replace(" ", "\t").replace("#1_", "#1 ").replace("#2_", "#2 ")] if write_header else []
    for _ in range(rows):
        row = {name: chance.choice(cells[name]) if name in cells else "x" for name in names}
        row |= {name: text(chance) for name in names if name in TEXTS}
        lines.append("\t".join(row.values()))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
    return path


def write_glue(folder, task, seed=0):
    """Write a task's files; gives the folder."""
    chance = random.Random(seed)  # noqa: S311
    train, label, labels, test = LAYOUTS[task]
    ends = ("_matched", "_mismatched") if task == "MNLI" else ("",)
    for name in ("train", *(f"dev{end}" for end in ends)):
        table(folder / f"{name}.tsv", train, chance, write_header=task != "COLA", **{label: labels})
    for end in ends:
        table(folder / f"test{end}.tsv", test, chance)
    if task == "QQP":
        with (folder / "train.tsv").open("a", encoding="utf-8") as file:
            file.write("1\t2\t3\ta short row\n")
    return folder


def write_xnli(folder, seed=0):
    """Write XNLI's files, of two languages for training; gives the folder."""
    chance = random.Random(seed)  # noqa: S311
    for language in ("en", "de"):
        path = folder / "multinli" / f"multinli.train.{language}.tsv"
        table(path, "premise hypo label", chance, label=("contradictory", "entailment", "neutral"))
    header = "language gold_label a b c d sentence1 sentence2"
    table(folder / "xnli.dev.tsv", header, chance, language=LANGUAGES, gold_label=NLI)
    table(folder / "xnli.test.tsv", header, chance, language=LANGUAGES, gold_label=NLI)
    return folder


def squad(seed=0, *, negatives=False, articles=4):
    """SQuAD's JSON; some answers are at odds with their paragraph, some are part of a word."""
    chance = random.Random(seed)  # noqa: S311
    data = [{"title": f"t{number}", "paragraphs": [_paragraph(chance, negatives)]} for number in range(articles)]
    return {"version": "v2.0" if negatives else "1.1", "data": data}


def _paragraph(chance, negatives):
    context = chance.choice(("", " ", "\n")) + text(chance, 150).replace(" x", chance.choice(("\u202fx", "\t x")))
    return {"context": context, "qas": [_question(chance, context, negatives) for _ in range(6)]}


def _question(chance, context, negatives):
    start = chance.randrange(len(context))
    end = min(len(context), start + chance.randrange(1, 30))
    answer = {"answer_start": max(0, start - chance.choice((0, 0, 0, 1, 9))), "text": context[start:end]}
    question = {"id": f"q{chance.random()}", "question": text(chance, 30), "answers": [answer]}
    if negatives:
        question["is_impossible"] = chance.random() < 0.4
        question["answers"] = [] if question["is_impossible"] else [answer]
    return question


TEXTS = (
    "sentence",
    "sentence1",
    "sentence2",
    "question",
    "question1",
    "question2",
    "#1_String",
    "#2_String",
    "premise",
)
TEXTS = (*TEXTS, "hypo")
INFERENCE = ("a b c d e f g h sentence1 sentence2 i gold_label", "gold_label", NLI)
ENTAILMENT = ("entailment", "not_entailment")
YES_OR_NO = ("0", "1")
PAIR = "index sentence1 sentence2"
LAYOUTS = {  # header of train and dev, label, labels; header of test
    "AX": (*INFERENCE, PAIR),
    "COLA": ("source is_acceptable note sentence", "is_acceptable", YES_OR_NO, "index sentence"),
    "MNLI": (*INFERENCE, "a b c d e f g h sentence1 sentence2"),
    "MRPC": ("Quality #1_ID #2_ID #1_String #2_String", "Quality", YES_OR_NO, "index #1_ID #2_ID #1_String #2_String"),
    "QNLI": ("index question sentence label", "label", ENTAILMENT, "index question sentence"),
    "QQP": ("id qid1 qid2 question1 question2 is_duplicate", "is_duplicate", YES_OR_NO, "id question1 question2"),
    "RTE": (f"{PAIR} label", "label", ENTAILMENT, PAIR),
    "SST-2": ("sentence label", "label", YES_OR_NO, "index sentence"),
    "STS-B": (
        "a b c d e f g sentence1 sentence2 score",
        "score",
        ("5.000", "0.0", "2.333"),
        "a b c d e f g sentence1 sentence2",
    ),
    "WNLI": (f"{PAIR} label", "label", YES_OR_NO, PAIR),
}
