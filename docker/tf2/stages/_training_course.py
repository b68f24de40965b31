"""The course of a training: its figures as they come, and what the next run resumes from after a kill."""

import json
import os
import shutil
import time
from pathlib import Path

import tensorflow as tf
import tf_keras
from stage import emit, write_json
from training_plot import write_plot

from stages import _training_weights
from stages._training_folders import keep_latest, name_latest

HISTORY = "history.json"
SHOWN_EVERY = 1.0  # seconds


class Course(tf_keras.callbacks.Callback):
    """Proves the weights that a training begins with, or restores those that the last run left; tells every step.

    The Model Garden's two programs call it at the same points. run_classifier trains by Keras's `fit`, which knows no
    way to go on in the middle but the attribute `_training_state` (of BackupAndRestore); run_squad begins where the
    optimizer's count of steps says.

    Attributes:
        history: what history.json holds: steps, losses (of the step, or the mean of a loop's), learning rates, epochs,
            and the steps at which a killed run was resumed.
    """

    def __init__(self, job, report, steps_per_epoch):
        super().__init__()
        self._job, self._report = job, report
        self._by_fit = job.task_type != "squad"
        self._steps_per_epoch = steps_per_epoch
        self._steps = steps_per_epoch * job.args.num_train_epochs
        self._now = self._epoch_began = 0
        self._shown = self._total = self._stepped = 0.0
        self._path = os.path.join(job.kept, HISTORY)
        self._summaries = None
        self.history = {"step": [], "loss": [], "learning_rate": [], "epochs": {}, "resumed": []}

    def on_train_begin(self, _logs=None):
        """Restore, or prove what was restored."""
        optimizer = self.model.optimizer
        self._rate_after = tf.function(optimizer.learning_rate)  # else Python calls each operation of it, each step
        self._checkpoint = tf.train.Checkpoint(model=self.model, optimizer=optimizer, global_step=optimizer.iterations)
        latest = tf.train.latest_checkpoint(self._job.model_dir)
        if latest:
            with self.model.distribute_strategy.scope():
                optimizer._create_all_weights(self.model.trainable_variables)  # noqa: SLF001 - that all can be restored
                self._checkpoint.read(latest).assert_existing_objects_matched()  # restore() wants a save_counter
        if self._by_fit:
            self.model._training_state = self  # noqa: SLF001
        self._now = int(optimizer.iterations.numpy())
        if self._now == 0:
            count = _training_weights.prove(self._job, self.model)
            self._report.note("all %d variables of the encoder are the source's" % count)
        else:
            self._go_on()
        if self._job.chief:
            self._summaries = tf.summary.create_file_writer(os.path.join(self._job.model_dir, "summaries", "steps"))

    def _go_on(self):
        self._report.note("going on from step %d of %d, which an unfinished run left" % (self._now, self._steps))
        if os.path.exists(self._path):
            kept = json.loads(Path(self._path).read_text(encoding="utf-8"))
            count = sum(number <= self._now for number in kept["step"])
            for name in ("step", "loss", "learning_rate"):
                self.history[name] = kept[name][:count]
            self.history["resumed"] = [*kept["resumed"], self._now]
            epochs = self._now // self._steps_per_epoch
            self.history["epochs"] = {name: logs for name, logs in kept["epochs"].items() if int(name) <= epochs}

    def maybe_load_initial_counters_from_ckpt(self, steps_per_epoch, *_others, **_more):
        """Where `fit` begins: epoch and step in it."""
        return divmod(self._now, steps_per_epoch)

    def on_epoch_begin(self, _epoch, _logs=None):
        """Keep no more than one checkpoint of the last epochs; `fit` reports means since here."""
        keep_latest(self._job.model_dir)
        self._epoch_began, self._total, self._stepped = self._now, 0.0, time.monotonic()

    def on_train_batch_end(self, _batch, logs):
        """Tell the loss; keep what is learnt, every so many steps."""
        before, self._now = self._now, int(self.model.optimizer.iterations.numpy())
        loss = float(logs["loss"])
        if self._by_fit:  # a mean over the epoch, of which `fit` gives the sum over all workers
            total = loss * (self._now - self._epoch_began) / self._job.args.workers
            loss, self._total = (total - self._total) / (self._now - before), total
        rate = float(self._rate_after(tf.constant(self._now - 1)))
        for name, value in (("step", self._now), ("loss", loss), ("learning_rate", rate)):
            self.history[name].append(value)
        now = time.monotonic()
        self._tell(loss, rate, (now - self._stepped) / (self._now - before))
        self._stepped = now
        every = self._job.args.save_checkpoints_steps
        if self._now // every > before // every:
            self._keep()

    def _tell(self, loss, rate, seconds):
        if not self._job.chief:
            return
        with self._summaries.as_default(step=self._now):
            tf.summary.scalar("loss", loss)
            tf.summary.scalar("learning_rate", rate)
        if self._now == self._steps or time.monotonic() - self._shown > SHOWN_EVERY:
            self._shown = time.monotonic()
            figures = {"loss": loss, "learning_rate": rate, "seconds_per_step": seconds}
            emit("training", step=self._now, steps=self._steps, **figures)

    def on_epoch_end(self, _epoch, logs):
        """Remember the epoch's figures."""
        number = self._now // self._steps_per_epoch
        losses = self.history["loss"][-self._steps_per_epoch :]
        figures = logs if self._by_fit else {"loss": sum(losses) / len(losses)}  # run_squad tells the last step's
        self.history["epochs"][str(number)] = {name: float(value) for name, value in figures.items()}
        self._write_history()

    def on_train_end(self, _logs=None):
        """Give `fit` its attribute back."""
        if self._by_fit:
            self.model._training_state = None  # noqa: SLF001

    def _keep(self):
        path = self._checkpoint.write(os.path.join(self._job.model_dir, "kept-%d" % self._now))
        name_latest(self._job.model_dir, os.path.basename(path))
        keep_latest(self._job.model_dir)
        self._write_history()

    def _write_history(self):
        if self._job.chief:
            Path(self._path + ".new").write_text(json.dumps(self.history), encoding="utf-8")
            os.replace(self._path + ".new", self._path)

    def write(self):
        """history.json, training.svg, TensorBoard's files, eval_results.txt of the last epoch; gives its figures."""
        out, told = self._job.args.out, self.history
        write_json(out, HISTORY, told)
        losses = told["loss"]
        title = "%s: loss %.3f to %.3f over %d steps" % (self._job.task["task"], losses[0], losses[-1], self._steps)
        write_plot(out, title, told["step"], losses, told["learning_rate"], told["resumed"])
        figures = dict(self.history["epochs"].get(str(self._now // self._steps_per_epoch), {}), global_step=self._now)
        figures = {name.replace("val_", "eval_"): value for name, value in figures.items()}
        write_results(out, figures)
        for path in Path(self._job.model_dir).rglob("events.out.tfevents.*"):
            inside = path.relative_to(self._job.model_dir).parent
            target = Path(out, "events", *[part for part in inside.parts if part != "summaries"])
            target.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target / path.name)
        return figures


def write_results(folder, figures):
    """eval_results.txt in the form that google-research/bert writes it."""
    lines = ["%s = %s\n" % (name, figures[name]) for name in sorted(figures)]
    Path(folder, "eval_results.txt").write_text("".join(lines), encoding="utf-8")
