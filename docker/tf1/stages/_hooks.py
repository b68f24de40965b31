"""What goes on beside a training step: keeping checkpoints, and writing down what the step did."""

import os
import time

import tensorflow as tf

from stages import _resuming

LEAST_SECONDS = 30.0
"""Between two checkpoints, unless steps ask for one sooner."""

TIMES_AS_LONG = 50
"""As a save took, training goes on before the next one by time: saving costs 2 % of the time at most."""


class Save(tf.estimator.SessionRunHook):
    """Saves after every so many steps, after the last, and by time in between, so that a kill loses little.

    An Estimator saves by steps or by time, not by both; and a save by a fixed time would cost a large model a good part
    of it.
    """

    def __init__(self, folder, every_steps):
        self._folder = folder
        self._path = os.path.join(folder, _resuming.NAME)
        self._every = every_steps
        self._seconds = LEAST_SECONDS

    def begin(self):
        """Find the step counter."""
        self._counter = tf.compat.v1.train.get_global_step()

    def after_create_session(self, session, coord):
        """Begin to count."""
        del coord
        (self._saver,) = tf.compat.v1.get_collection(tf.compat.v1.GraphKeys.SAVERS)
        self._step = self._saved = session.run(self._counter)
        self._ended = time.monotonic()

    def after_run(self, run_context, run_values):
        """Save, if it is time."""
        del run_values
        self._step += 1
        if self._step % self._every == 0 or time.monotonic() - self._ended >= self._seconds:
            self._save(run_context.session)

    def end(self, session):
        """Save the last step."""
        if self._saved != self._step:
            self._save(session)

    def _save(self, session):
        started = time.monotonic()
        self._saver.save(session, self._path, global_step=self._step, write_meta_graph=False)
        tf.compat.v1.summary.FileWriterCache.get(self._folder).flush()
        self._saved, self._ended = self._step, time.monotonic()
        self._seconds = max(LEAST_SECONDS, TIMES_AS_LONG * (self._ended - started))


class Watch(tf.estimator.SessionRunHook):
    """Writes the history: a row of the mean loss over some steps, the learning rate, and how fast it went.

    Args:
        loss, learning_rate: tensors of the training graph.
        total: how many steps there will be.
        batch_size: of training.
        every: steps a row.
        kept: a `_resuming.Kept`.
        show: function of a dict with step, loss, learning_rate and seconds_per_step, called after each step.
    """

    def __init__(self, loss, learning_rate, total, batch_size, every, kept, show):
        self._fetched = {"loss": loss, "learning_rate": learning_rate}
        self._total = total
        self._batch_size = batch_size
        self._every = every
        self._kept = kept
        self._show = show
        self._step = kept.step
        self._losses = []

    def before_run(self, run_context):
        """Ask for loss and learning rate with the step; the clock of the first row starts here."""
        del run_context
        if not self._losses:
            self._started = time.monotonic()
        return tf.estimator.SessionRunArgs(self._fetched)

    def after_run(self, run_context, run_values):
        """Count the step; write a row where one is due."""
        del run_context
        self._step += 1
        self._losses.append(float(run_values.results["loss"]))
        row = {
            "step": self._step,
            "loss": self._losses[-1],
            "learning_rate": float(run_values.results["learning_rate"]),
            "seconds_per_step": (time.monotonic() - self._started) / len(self._losses),
        }
        self._show(row)
        if self._step % self._every == 0 or self._step == self._total:
            mean = sum(self._losses) / len(self._losses)
            self._kept.add(dict(row, loss=mean, examples_per_second=self._batch_size / row["seconds_per_step"]))
            self._losses = []


class Count(tf.estimator.SessionRunHook):
    """Calls a function after each batch with how many there were."""

    def __init__(self, show):
        self._show = show
        self._done = 0

    def after_run(self, run_context, run_values):
        """Count."""
        del run_context, run_values
        self._done += 1
        self._show(self._done)
