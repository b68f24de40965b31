"""reference.json: who answered what, in a stage that answers for a source.

Its rows have the names

    what     who answered, in words
    outputs  the names of the answers
    why      why it was not the checkpoint's own graph; empty where it was, and where there is none
"""

from stage import write_json

FILE = "reference.json"


def row(what, outputs, why=""):
    """A row of reference.json."""
    return {"what": what, "outputs": list(outputs), "why": why}


def rows(what, found):
    """The rows where one has given all answers, by the names that a method `answer` of questions gives them."""
    return [row(what, names(found))]


def of(rows, found):
    """Of rows what was asked for: the answers that were found."""
    asked = names(found)
    kept = [dict(item, outputs=[name for name in item["outputs"] if name in asked]) for item in rows]
    return [item for item in kept if item["outputs"]]


def names(found):
    """The names of answers without those of probes, sorted."""
    return sorted({name.split("/")[-1] for name in found})


def joined(rows):
    """The rows with those joined that differ in their outputs alone."""
    found = {}
    for item in rows:
        found.setdefault((item["what"], item["why"]), []).extend(item["outputs"])
    return [row(what, outputs, why) for (what, why), outputs in found.items()]


def write(folder, rows):
    """Write it."""
    write_json(folder, FILE, rows)
