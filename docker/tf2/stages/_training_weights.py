"""The weights a training begins with, proved to be there, and those it ends with, as convert-tf1 takes them."""

import os
from pathlib import Path

import numpy as np
import tensorflow as tf
from checkpoint_files import CHECKPOINT
from official.legacy.bert import bert_models
from stage import StageInputError

from bertbuild.checkpoint.layouts import layout
from bertbuild.checkpoint.model_garden import encoder_places
from bertbuild.checkpoint.writer import write_checkpoint
from bertbuild.families.bert import WORD_EMBEDDINGS
from bertbuild.heads import classifier, masked_lm, span
from stages import _garden, _training_heads
from stages._training_folders import name_latest
from stages.convert_tf2 import STATE, tensors


def config(job):
    """The BertConfig that the Model Garden builds from, its gelu of the form that was asked for."""
    own = job.args.gelu in (None, "tanh")
    return _garden.bert_config(job.config_path, None if own else job.args.gelu)


class Begun:
    """The source's variables under google-research/bert's names, in its shapes."""

    def __init__(self, job):
        self._job = job

    def tensor(self, name):
        """Of one variable."""
        found = self._job.source.places[name]
        return found.place.back(self._job.source.reader.tensor(found.key))


def init_checkpoint(job):
    """The prefix of a checkpoint that the Model Garden's programs restore whole; None with a hub module.

    They look for an encoder as the root `model` or `encoder`; what has it elsewhere, or with a head, is written again.
    """
    if job.source.kind != "init_checkpoint":
        return None
    places = job.source.places
    root = places[WORD_EMBEDDINGS].place.path[:-2]
    bare = {classifier.WEIGHTS, span.WEIGHTS, masked_lm.BIAS}.isdisjoint(places)
    if bare and root in (("encoder",), ("model",)):
        return job.source.prefix
    prefix = os.path.join(job.model_dir, "init", CHECKPOINT)
    os.makedirs(os.path.dirname(prefix), exist_ok=True)
    shapes = {name: found.place.source_shape for name, found in places.items()}
    write_checkpoint(Path(prefix), tensors(layout("encoder", job.config, shapes), Begun(job)))
    return prefix


def check_hub_module(job):
    """A module of the form that the programs call: a list goes in, and the pooled output comes out first.

    Raises:
        StageInputError: it is none.
    """
    import tensorflow_hub as hub

    try:
        pooled, sequence = hub.KerasLayer(job.source.folder)([tf.ones([1, 2], tf.int32)] * 3)
        ranks = (len(pooled.shape), len(sequence.shape))
    except (ValueError, TypeError, AttributeError) as error:
        message = "%s is not a hub module that the Model Garden's programs can call: %s"
        raise StageInputError(message % (job.source.folder, str(error).strip().split("\n")[0])) from error
    if ranks != (2, 3):
        raise StageInputError("%s does not give its pooled output first, as version 1 modules do" % job.source.folder)


def prove(job, model):
    """Every variable of the encoder in `model` has, to the bit, the source's value; gives how many there are.

    Raises:
        StageInputError: one has not.
    """
    begun, variables = Begun(job), by_name(model)
    places = list(encoder_places(job.config, "encoder"))
    for place in places:
        held = variables.get(place.name)
        if held is None or not np.array_equal(held.numpy(), place.forth(begun.tensor(place.source))):
            raise StageInputError("%s did not come into the model as %s has it" % (place.name, job.source.folder))
    return len(places)


def by_name(model):
    """Variables by their names without the output's number."""
    return {variable.name.split(":")[0]: variable for variable in model.trainable_variables}


def fresh(job):
    """The Model Garden's model with a head of the task, random weights, no hub module."""
    if job.task_type == "squad":
        return bert_models.squad_model(config(job), int(job.meta["max_seq_length"]))[0]
    if job.task_type == _training_heads.TAGGING:
        return _training_heads.tagger(config(job), job.labels)[0]
    return bert_models.classifier_model(config(job), job.labels)[0]


def restored(job):
    """The trained model of --model-dir, every variable of it found in the checkpoint."""
    model = fresh(job)
    tf.train.Checkpoint(model=model).read(job.source.prefix).assert_existing_objects_matched()
    return model


def write(job, trained):
    """Write the trained model's variables; those of a hub module become the encoder's that they are."""
    model = fresh(job)
    learnt = by_name(trained)
    encoder = {place.name for place in encoder_places(job.config, "encoder")}
    heads = [[variable for name, variable in of.items() if name not in encoder] for of in (learnt, by_name(model))]
    for name, variable in by_name(model).items():
        if name in encoder:
            variable.assign(learnt[name].numpy())
    for source, target in zip(*(sorted(head, key=lambda one: -len(one.shape)) for head in heads), strict=True):
        target.assign(source.numpy())
    checkpoint = tf.train.Checkpoint(model=model)
    checkpoint.save_counter.assign(1)  # it is there from now on, as the programs' `restore` wants it
    checkpoint.write(os.path.join(job.args.out, CHECKPOINT))
    Path(job.args.out, "checkpoint").write_text(STATE, encoding="utf-8")
    return os.path.join(job.args.out, CHECKPOINT)


def state_folder(job):
    """A folder whose `checkpoint` file names the trained checkpoint, where the programs look for the latest one."""
    name_latest(job.model_dir, os.path.abspath(job.source.prefix))
    return job.model_dir
