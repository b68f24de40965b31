"""The files of a checkpoint in a folder."""

import os
import shutil

from stage import StageInputError, read_json

CHECKPOINT = "bert_model.ckpt"
"""The name of every checkpoint that a stage writes."""


def find_prefix(folder, wanted=None):
    """The path of a checkpoint without its .index: the one of the given name, or the only one.

    Raises:
        StageInputError: there is none of that name, or none or several and no name was given.
    """
    found = sorted(name[: -len(".index")] for name in os.listdir(folder) if name.endswith(".index"))
    if wanted:
        if wanted not in found:
            raise StageInputError(
                "%s holds no checkpoint %s (found: %s)" % (folder, wanted, ", ".join(found) or "none")
            )
        return os.path.join(folder, wanted)
    if len(found) != 1:
        raise StageInputError("%s holds %d checkpoints; say which with --prefix" % (folder, len(found)))
    return os.path.join(folder, found[0])


def gather_published(checkpoint, wanted, metagraph, folder):
    """`gather_checkpoint` for a .meta of the published form, and what that form is.

    Returns:
        the path of the .meta, role → tensor name (found by tracing the graph), output name → tensor name (as the stage
        metagraph says, else that of the pooler), form of gelu.

    Raises:
        StageInputError: the .meta is of another form.
    """
    from bertbuild.families.bert_names import POOLER_OUTPUT
    from bertbuild.graph.gelu import gelu_form
    from bertbuild.graph.graphdef import read_meta_graph
    from bertbuild.graph.published import published_form

    meta = gather_checkpoint(checkpoint, wanted, metagraph, folder)
    graph = read_meta_graph(meta)
    form = published_form(graph)
    if form is None:
        raise StageInputError(
            "the .meta is not of the published form (three int32 placeholders of a fixed shape that alone feed %s); "
            "make one with the stage metagraph of the tf1 image" % POOLER_OUTPUT
        )
    outputs = {"pooled_output": POOLER_OUTPUT + ":0"}
    if metagraph is not None and os.path.exists(os.path.join(metagraph, "signature.json")):
        ports = read_json(metagraph, "signature.json")["outputs"]
        outputs = {name: port["tensor"] for name, port in ports.items()}
    return meta, dict(form.roles), outputs, gelu_form(graph)


def gather_checkpoint(checkpoint, wanted, metagraph, folder):
    """Lay links to index, data and .meta side by side under one prefix, as converters want them.

    Args:
        checkpoint: the folder of the checkpoint.
        wanted: its name there (None: the only one).
        metagraph: a folder with a bert_model.ckpt.meta that takes the place of the checkpoint's own, or None.
        folder: where the links go.

    Returns:
        the path of the .meta.
    """
    source = find_prefix(checkpoint, wanted)
    prefix = os.path.join(folder, CHECKPOINT)
    for name in os.listdir(checkpoint):
        ending = name[len(os.path.basename(source)) :]
        if name.startswith(os.path.basename(source) + ".") and not (metagraph and ending == ".meta"):
            os.symlink(os.path.abspath(os.path.join(checkpoint, name)), prefix + ending)
    if metagraph is not None:
        shutil.copyfile(os.path.join(metagraph, CHECKPOINT + ".meta"), prefix + ".meta")
    if not os.path.exists(prefix + ".meta"):
        raise StageInputError("%s has no .meta; make one with the stage metagraph of the tf1 image" % checkpoint)
    return prefix + ".meta"
