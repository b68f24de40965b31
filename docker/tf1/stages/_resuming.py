"""What a training run keeps so that a killed one is resumed: checkpoints, and the history of its steps.

| found in the folder                        | means                         | what happens             |
| ------------------------------------------ | ----------------------------- | ------------------------ |
| model.ckpt-N whole, every checksum right   | saved after step N            | the newest is resumed |
| model.ckpt-N that cannot be read           | damaged                       | removed, with a note     |
| model.ckpt-N without .index, …_temp_…      | killed while saving           | removed                  |
| a line of history.jsonl after step N       | a step whose result is lost   | dropped; done again      |
"""

import json
import os
import re
import shutil

import tensorflow as tf

NAME = "model.ckpt"
HISTORY = "history.jsonl"
SAVED = re.compile(re.escape(NAME) + r"-(\d+)\.index$")


class Kept(object):
    """The folder of a training run, tidied up.

    Attributes:
        folder: the Estimator's model_dir.
        step: how many steps the run has behind it.
        prefix: of the checkpoint saved after that step, None where there is none.
        rows: the history up to that step.
        resumed: the steps after which earlier runs were resumed, and this one if it is.
    """

    def __init__(self, folder, report):
        self.folder = folder = os.path.abspath(folder)
        steps = sorted(int(found.group(1)) for found in map(SAVED.match, os.listdir(folder)) if found)
        whole = []
        while steps and not whole:
            step = steps.pop()
            problem = _problem(self._prefix(step))
            if problem is None:
                whole = [*steps, step]
            else:
                report.note("the checkpoint of step %d is damaged (%s): left out" % (step, problem))
        self.step = whole[-1] if whole else 0
        self.prefix = self._prefix(self.step) if whole else None
        self._tidy(whole)
        lines = self._lines()
        self.rows = [line for line in lines if "loss" in line]
        self.resumed = [line["resumed"] for line in lines if "resumed" in line]
        self._history = open(os.path.join(folder, HISTORY), "w")  # noqa: SIM115 - open as long as the run
        for line in lines:
            self._write(line)
        if whole:
            self.resumed.append(self.step)
            self._write({"resumed": self.step})

    def add(self, row):
        """Remember a row of the history: a dict with step, loss and more."""
        self.rows.append(row)
        self._write(row)

    def _write(self, line):
        self._history.write(json.dumps(line, sort_keys=True) + "\n")
        self._history.flush()

    def _lines(self):
        """What history.jsonl tells of steps that are not lost."""
        path = os.path.join(self.folder, HISTORY)
        if not os.path.exists(path):
            return []
        with open(path) as file:
            # The last may have been cut off by the kill.
            lines = [json.loads(text) for text in file if text.endswith("}\n")]
        return [line for line in lines if line.get("step", line.get("resumed", 0)) <= self.step]

    def _tidy(self, steps):
        """Remove all of checkpoints but these steps' files, and let TensorFlow find the newest."""
        prefixes = {"%s-%d" % (NAME, step) for step in steps}
        for name in os.listdir(self.folder):
            if name.startswith(NAME) and name.split(".index")[0].split(".data-")[0] not in prefixes:
                path = os.path.join(self.folder, name)
                shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
        state = os.path.join(self.folder, "checkpoint")
        if steps:
            names = [self._prefix(step) for step in steps]
            tf.compat.v1.train.update_checkpoint_state(self.folder, names[-1], names)
        elif os.path.exists(state):
            os.unlink(state)

    def _prefix(self, step):
        return os.path.join(self.folder, "%s-%d" % (NAME, step))


def _problem(prefix):
    """What is wrong with a checkpoint, every byte of which is read and summed; None where nothing is."""
    try:
        reader = tf.train.NewCheckpointReader(prefix)
        for name in reader.get_variable_to_shape_map():
            reader.get_tensor(name)
    except (tf.errors.OpError, ValueError) as error:
        return str(error).splitlines()[0]
    return None
