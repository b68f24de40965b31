"""bert-tensorflow's run_classifier or run_squad: its model_fn and input functions, tied as its main() ties them.

For tasks that have no script there, ours in their place (`_programs`).

What is added: the source's form of gelu, a seed, checkpoints by time, a history; batches end where their longest row
does; and a killed run goes on with the batches that it had not seen yet, where upstream would begin the data again.
"""

import os
import random

import by_length
import short_batches
import tensorflow as tf
from bert import modeling
from heartbeat import Heartbeat
from stage import StageInputError, emit, progress, step

from bertbuild.families.bert_names import SCOPE
from bertbuild.heads.padding import ASKED_WITH_PADDING
from stages import _adam, _bert, _hooks, _prepared, _programs, _source

ROWS = 500
"""Rows of the history, at most: with more steps a row is of several."""


class Trainer(object):
    """A model, prepared data and a folder, put into a TPUEstimator that needs no TPU.

    Args:
        args: of the stage.
        source: a `_source.Source`.
        gelu: its form, or None.
        prepared: a `_prepared.Prepared`.
        kept: a `_resuming.Kept`.
        report: of the stage.
    """

    def __init__(self, args, source, gelu, prepared, kept, report):
        self._args = args
        self._source = source
        self._prepared = prepared
        self._kept = kept
        self._report = report
        self._told_head = False
        self._told_pooler = False
        self.steps = self._epoch = 0
        self.program = _programs.of(prepared)
        self.length = prepared.max_seq_length
        self.trims = not args.pad_to_max and prepared.head in short_batches.SAFE
        self._config = _bert.bert_config(source.config, gelu)

    def train(self, examples):
        """Train on train.tf_record, from where the folder's checkpoint ends."""
        args = self._args
        self.steps = int(examples / args.train_batch_size * args.num_train_epochs)
        self._epoch = examples // args.train_batch_size
        if not self.steps:
            raise StageInputError(
                "%d examples, --train_batch_size=%d and --num_train_epochs=%g make no step; lower the batch size"
                % (examples, args.train_batch_size, args.num_train_epochs)
            )
        if self._kept.prefix:
            self._report.note("going on after step %d of %d of a run that was ended" % (self._kept.step, self.steps))
        if self._kept.step >= self.steps:
            return
        step("building the training graph")
        with Heartbeat(self._tell_training) as self._heartbeat:
            self._estimator().train(self._training_input, hooks=[self._save()], max_steps=self.steps)

    def evaluate(self, path, examples):
        """The metrics over a record file of so many examples, as run_classifier's metric_fn has them: name → value."""
        path, _ = self._sorted(path, self._args.eval_batch_size)
        batches = -(-examples // self._args.eval_batch_size)
        with Heartbeat(lambda done: progress(min(done, batches), batches)) as heartbeat:
            counting = _hooks.Count(heartbeat.show)
            return self._estimator().evaluate(self._input(path, training=False), hooks=[counting])

    def predict(self, path, examples):
        """The predictions for a record file of so many examples, in its order: dicts of name → array.

        Each is as long as the batch was that it was in.
        """
        path, rows = self._sorted(path, self._args.predict_batch_size)
        found = []
        with Heartbeat(lambda done: progress(min(done, examples), examples)) as heartbeat:
            for prediction in self._estimator().predict(self._input(path, training=False)):
                found.append(prediction)
                heartbeat.show(len(found))
        return found if rows is None else by_length.put_back(found, rows)

    def _estimator(self):
        args = self._args
        every = max(1, self.steps // ROWS)
        config = tf.compat.v1.estimator.tpu.RunConfig(
            model_dir=self._kept.folder,
            tf_random_seed=args.seed,
            save_checkpoints_steps=None,  # `_hooks.Save` does
            save_checkpoints_secs=None,
            keep_checkpoint_max=2,
            save_summary_steps=every,
            log_step_count_steps=every,
        )
        return tf.compat.v1.estimator.tpu.TPUEstimator(
            use_tpu=False,
            model_fn=self._model_fn(every),
            config=config,
            train_batch_size=args.train_batch_size,
            eval_batch_size=args.eval_batch_size,
            predict_batch_size=args.predict_batch_size,
        )

    def _model_fn(self, every):
        args = self._args
        settings = {
            "bert_config": self._config,
            "init_checkpoint": None,  # `_initialise` does, and says what it could not use
            "learning_rate": args.learning_rate,
            "num_train_steps": self.steps,
            "num_warmup_steps": int(self.steps * args.warmup_proportion),
            "use_tpu": False,
            "use_one_hot_embeddings": False,
        }
        theirs = self.program.model_fn(**settings)

        def model_fn(features, labels, mode, params):
            with _adam.learning_rates(in_place=not args.pad_to_max) as rates:
                spec = theirs(features, labels, mode, params)
            self._initialise()
            if mode != tf.estimator.ModeKeys.TRAIN:
                return spec
            _adam.count_after(rates[0])
            watch = _hooks.Watch(
                spec.loss, rates[0], self.steps, args.train_batch_size, every, self._kept, self._heartbeat.show
            )
            return spec._replace(training_hooks=(watch,))

        return model_fn

    def _initialise(self):
        """Let the variables begin with the source's values; a head that the source has not, or another, is new."""
        variables = tf.compat.v1.trainable_variables()
        found, _ = modeling.get_assignment_map_from_checkpoint(variables, self._source.prefix)
        shapes = {variable.op.name: tuple(variable.shape.as_list()) for variable in variables}
        pooler = [] if self._source.has_pooler else [name for name in shapes if name in _source.POOLER]
        lacking = [name for name in shapes if name.startswith(SCOPE) and name not in found and name not in pooler]
        if lacking:
            raise StageInputError("the checkpoint %s has no %s" % (self._source.prefix, lacking[0]))
        kinds = self._args.source_heads
        other = kinds is not None and self._prepared.head not in kinds.split(",")
        new = [
            name
            for name in shapes
            if name not in found or self._source.shape(name) != shapes[name] or (other and not name.startswith(SCOPE))
        ]
        wrong = [name for name in new if name.startswith(SCOPE) and name not in pooler]
        if wrong:
            raise StageInputError(
                "%s has shape %s, bert_config.json wants %s"
                % (wrong[0], self._source.shape(wrong[0]), shapes[wrong[0]])
            )
        if pooler and not self._args.do_train:
            raise StageInputError("the checkpoint has no pooler (bert/pooler/dense), so it must be trained first")
        if new and not self._args.do_train:
            raise StageInputError(
                "the checkpoint has no head for %s (%s %s), so it must be trained first"
                % (self._prepared.task, new[0], list(shapes[new[0]]))
            )
        if pooler and not self._told_pooler:
            self._report.note("the checkpoint has no pooler: a new one is trained")
            self._told_pooler = True
        if any(name in found for name in new) and not self._told_head:
            self._report.note("the checkpoint's head is of another task: a new one is trained")
            self._told_head = True
        tf.compat.v1.train.init_from_checkpoint(self._source.prefix, {name: name for name in found if name not in new})

    def _training_input(self, params):
        # Which batches come is settled by the seed, so those of the steps done can be left out. Skipping none is an
        # operation too: without it a fresh run's dropout would get other seeds than a resumed one's.
        path = self._prepared.path(_prepared.TRAIN)
        if self._prepared.squad:
            path = _shuffled(path, self._kept.folder)
        batches = self._input(path, training=True)(params)
        if self._args.bucket_by_length:
            batches = short_batches.bucketed(batches, self._real, self._epoch)
        batches = batches.skip(self._kept.step)
        return (batches.map(self._cut) if self.trims else batches).prefetch(2)

    def _input(self, path, *, training):
        make = self.program.input_fn(path, training)
        if training or self._is_padded():
            return make
        return lambda params: make(params).map(self._cut)

    def _sorted(self, path, batch_size):
        """The same records by length in a file, and where each came from; where rows are padded, the file itself."""
        if self._is_padded():
            return path, None
        copy = os.path.join(self._kept.folder, "sorted.tf_record")
        return copy, by_length.sorted_copy(path, copy, self._prepared.lengths(path), batch_size)

    def _is_padded(self):
        return self._args.pad_to_max or self._prepared.head in ASKED_WITH_PADDING

    def _real(self, features):
        tags = features["label_ids"] if self._prepared.kind == _prepared.TAGGING else None
        return short_batches.real_places(features["input_mask"], tags)

    def _cut(self, features):
        names = _prepared.SEQUENCES + (("label_ids",) if self._prepared.kind == _prepared.TAGGING else ())
        columns = short_batches.cut(self._real(features), *(features[name] for name in names))
        return dict(features, **dict(zip(names, columns)))

    def _save(self):
        return _hooks.Save(self._kept.folder, self._args.save_checkpoints_steps)

    def _tell_training(self, shown):
        emit("training", steps=self.steps, **shown)


def _shuffled(path, folder):
    """A copy of the records in another order, always the same: run_squad's input function shuffles a hundred at a time.

    Its main() shuffles the questions before it writes them, for that reason and with this seed.
    """
    records = list(tf.compat.v1.io.tf_record_iterator(path))
    random.Random(12345).shuffle(records)  # noqa: S311 - not for secrets
    copy = os.path.join(folder, _prepared.TRAIN)
    with tf.io.TFRecordWriter(copy) as writer:
        for record in records:
            writer.write(record)
    return copy
