"""A checkpoint described for a writer: what the stages share that write a model operator by operator.

Variables are mapped into memory and not copied. What is written is bertbuild/model's description of the model; each
stage has a writer of its own.
"""

from pathlib import Path

import asked_outputs
from checkpoint_files import find_prefix
from stage import StageInputError, read_json, step

ACTIVATIONS = {"erf": "erf", "tanh": "tanh-gelu"}


def declare(stage):
    """Declare what such a stage is told of its source, and of what the model gives."""
    stage.input("checkpoint", "folder with bert_config.json and the checkpoint's files")
    asked_outputs.declare(stage)
    stage.param("prefix", "the checkpoint's name in its folder, where there are several")
    stage.param(
        "gelu",
        "form of gelu, where the model has one; auto reads it from the checkpoint's .meta (default)",
        choices=("auto", "erf", "tanh"),
        default="auto",
    )


def describe(args, report, writer_of, seq_len=0):
    """Describe the model of a checkpoint to a writer.

    Args:
        args: of the stage: checkpoint, prefix, gelu, output, heads.
        report: of the stage, for its notes.
        writer_of: function of (variable's name → float32 array) that gives a `bertbuild.model.operators.Operators` with
            `inputs` by their roles.
        seq_len: the only sequence length that the model is to take, 0 for any.

    Returns:
        the writer, output name → the writer's value, and the form of gelu, None where the model has none.

    Raises:
        StageInputError: the checkpoint or its configuration cannot be read, the variables do not fit it, or there is no
            such output or head.
    """
    from bertbuild.errors import BertbuildError

    try:
        return _describe(args, report, writer_of, seq_len)
    except BertbuildError as error:
        raise StageInputError(str(error)) from error


def _describe(args, report, writer_of, seq_len):
    from bertbuild.checkpoint.bundle import CheckpointReader
    from bertbuild.checkpoint.config import read_config
    from bertbuild.families.bert_names import CONFIG_FILE
    from bertbuild.families.scopes import is_projected
    from bertbuild.families.table import family_of
    from bertbuild.model.encoder import Sizes
    from bertbuild.model.model import describe

    prefix = Path(find_prefix(args.checkpoint, args.prefix))
    reader = CheckpointReader(prefix)
    family = family_of(reader.entries, read_json(args.checkpoint, CONFIG_FILE))
    config = read_config(Path(args.checkpoint) / CONFIG_FILE, family.name)
    facts = _facts(prefix, args, config)
    gelu = _gelu(args, config, facts, report, family)
    sizes = Sizes(
        layers=config.num_hidden_layers,
        heads=config.num_attention_heads,
        hidden=config.hidden_size,
        activation=ACTIVATIONS[gelu] if gelu else config.hidden_act,
        epsilon=config.epsilon(facts.epsilon if facts else None),
        scopes=family.scopes,
        projected=is_projected(
            family.scopes, {"embedding_size": config.embedding_size, "hidden_size": config.hidden_size}
        ),
    )
    if seq_len > config.max_position_embeddings:
        raise StageInputError(
            "--seq-len=%d is longer than the model's %d positions" % (seq_len, config.max_position_embeddings)
        )
    step("writing the graph")
    outputs, heads = asked_outputs.read(args)
    writer = writer_of(_Variables(reader, config, family.scopes, heads).tensor)
    try:
        return writer, describe(writer, sizes, writer.inputs, heads, outputs), gelu
    except LookupError as error:
        raise StageInputError("none of --heads gives --output %s" % error) from error


def _facts(prefix, args, config):
    """What the graph in the .meta tells, where there is one and something is not known without."""
    from bertbuild.checkpoint.graph_facts import graph_facts

    meta = prefix.with_name(prefix.name + ".meta")
    known = config.layer_norm_eps is not None and (config.hidden_act != "gelu" or args.gelu != "auto")
    return graph_facts(meta) if meta.exists() and not known else None


def _gelu(args, config, facts, report, family):
    if config.hidden_act != "gelu":
        return None
    if args.gelu != "auto":
        return args.gelu
    found = facts.gelu if facts else None
    if config.gelu and found and config.gelu != found:
        raise StageInputError(
            "bert_config.json names the form %s of gelu, but the graph in the .meta computes %s; say which: "
            "--gelu=erf or --gelu=tanh" % (config.gelu, found)
        )
    if not config.gelu and not found:
        why = "the .meta shows no gelu" if facts else "no .meta beside the checkpoint"
        report.note("%s: gelu taken as %s, %s" % (why, family.gelu, family.why))
    return config.gelu or found or family.gelu


class _Variables(object):
    """The variables of a checkpoint, each looked at before it is used."""

    def __init__(self, reader, config, scopes, heads):
        from bertbuild.families.table import variables_of

        self._reader = reader
        self._shapes = variables_of(config.family, config)
        self._words = scopes.words
        self._hidden = config.hidden_size
        self._heads = {head.weights: head for head in heads}

    def tensor(self, name):
        """The variable as a float32 array over the mapped file.

        Raises:
            StageInputError: it has another shape than the configuration says, or another dtype.
        """
        array = self._reader.mapped(name)
        if array.dtype.name != "float32":
            raise StageInputError(
                "%s is stored as %s; write the checkpoint in float32 first (bertbuild does, where it builds from it)"
                % (name, array.dtype.name)
            )
        expected = self._shapes.get(name, array.shape)
        if array.shape != expected:
            raise StageInputError(
                "%s has shape %s in the checkpoint, %s by bert_config.json" % (name, list(array.shape), list(expected))
            )
        if name in self._heads:
            self._check_head(self._heads[name], array.shape)
        return array

    def _check_head(self, head, shape):
        from bertbuild.heads.found import BY_COLUMN, COLUMNS

        bias = self._reader.mapped(head.bias).shape
        width = self._shapes[self._words][1] if head.weights == self._words else self._hidden
        shape = shape[::-1] if head.kind in BY_COLUMN else shape
        if len(shape) != 2 or shape[1] != width or bias != shape[:1]:
            raise StageInputError(
                "%s must have shape [C, %d] and %s [C] (got %s and %s)"
                % (head.weights, width, head.bias, list(shape), list(bias))
            )
        if shape[0] != COLUMNS.get(head.kind, shape[0]):
            raise StageInputError(
                "%s of a head of kind %s must have %d rows (got %d)"
                % (head.weights, head.kind, COLUMNS[head.kind], shape[0])
            )
