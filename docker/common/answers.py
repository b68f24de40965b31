"""Running inputs through a model, whatever its engine, and keeping the answers.

answers.npz holds float32 arrays: "<probe>/<output>" for each probe as a batch, and, for probes of more than one row,
"<probe>/alone/<output>" for its rows run one at a time; of examples (`features`) just "<output>" [N, …]. Before the
probe may stand under what it was answered: "default/…".
"""

import os

import numpy as np
from stage import StageInputError, read_json, step

ROLES = ("input_ids", "input_mask", "segment_ids")
PER_POSITION = ("start_logits", "end_logits", "replaced_token_logits")
"""Outputs [B, S] that hold something for each position, wherever they come from."""


class Probes(object):
    """The probes of a probes.json: dicts with a name and int32 arrays [B, S] under the three roles.

    Attributes:
        timed: whether it counts how long an answer takes.
    """

    timed = False

    def __init__(self, path, alone=True):
        """Args: path of the file; whether the rows of a batch are run one by one too."""
        self._alone = alone
        folder, name = os.path.split(os.path.abspath(path))
        probes = read_json(folder, name)["probes"]
        self._probes = [
            dict({role: np.array(probe[role], np.int32) for role in ROLES}, name=probe["name"]) for probe in probes
        ]

    def answer(self, run, batch=None, seq_len=None, prefix="", per_position=(), singly=True):
        """Run every probe, as a batch and row by row.

        Args:
            run: function of a dict role → int32 array [B, S], giving a dict output name → float32 array [B, …].
            batch: the only batch size the model takes, or None.
            seq_len: the only sequence length the model takes, or None; probes that are longer are left out.
            prefix: put before every name.
            per_position: as for `run_shaped`.
            singly: whether the rows of a batch are run one by one too, where that is asked for at all.

        Returns:
            dict of array name → float32 array.

        Raises:
            StageInputError: all probes are longer than the model takes.
        """
        answers, run = {}, once(run)
        for probe in self._probes:
            rows, length = probe["input_ids"].shape
            if seq_len is not None and length > seq_len:
                continue
            step("answering probe %s%s" % (prefix, probe["name"]))
            feeds = {role: probe[role] for role in ROLES}
            for output, value in run_shaped(feeds, run, batch, seq_len, per_position).items():
                answers["%s%s/%s" % (prefix, probe["name"], output)] = value
            if rows > 1 and singly and self._alone:
                alone = [
                    run_shaped({role: feeds[role][row : row + 1] for role in ROLES}, run, batch, seq_len, per_position)
                    for row in range(rows)
                ]
                for output in alone[0]:
                    value = np.concatenate([answers_of_row[output] for answers_of_row in alone])
                    answers["%s%s/alone/%s" % (prefix, probe["name"], output)] = value
        if not answers:
            raise StageInputError("no probe fits the model: all are longer than its sequence length of %s" % seq_len)
        return answers

    def unanswered(self, given, names):
        """Name of an output → why, where some probe has no answer of it: "" where none has.

        Args:
            given: what `answer` gave.
            names: of outputs.
        """
        found = {}
        for name in names:
            lacking = [probe["name"] for probe in self._probes if "%s/%s" % (probe["name"], name) not in given]
            if lacking:
                all_lack = len(lacking) == len(self._probes)
                found[name] = "" if all_lack else "its graph takes no sequence as long as %s" % ", ".join(lacking)
        return found


def once(run):
    """A function that runs inputs and does not run the same ones again: probes that a fixed shape makes equal."""
    known = {}

    def run_once(group):
        asked = tuple((group[role].shape, group[role].tobytes()) for role in ROLES)
        if asked not in known:
            known[asked] = run(group)
        return known[asked]

    return run_once


def run_shaped(feeds, run, batch, seq_len, per_position=()):
    """Run feeds of any shape through a model of a fixed one: pad sequences, run groups of rows, cut back.

    `per_position` names outputs [B, S], besides those of `PER_POSITION`; they lose the padding as [B, S, N] do. [B, N]
    has none.
    """
    rows, length = feeds["input_ids"].shape
    width = length if seq_len is None else seq_len
    size = rows if batch is None else batch
    parts = []
    for start in range(0, rows, size):
        group = {}
        for role in ROLES:
            block = np.zeros((size, width), np.int32)
            part = feeds[role][start : start + size]
            block[: len(part), :length] = part
            # A row of padding alone would divide by nothing real: repeat the last row instead.
            block[len(part) :, :length] = part[-1]
            group[role] = block
        parts.append(run(group))
    joined = {name: np.concatenate([part[name] for part in parts])[:rows] for name in parts[0]}
    padded = [name for name, value in joined.items() if value.ndim == 3 or name in PER_POSITION or name in per_position]
    return {name: value[:, :length] if name in padded else value for name, value in joined.items()}


def write_answers(folder, answers):
    """Write answers.npz: same answers, same bytes (NumPy dates every member 1980)."""
    np.savez(os.path.join(folder, "answers.npz"), **{name: answers[name] for name in sorted(answers)})
