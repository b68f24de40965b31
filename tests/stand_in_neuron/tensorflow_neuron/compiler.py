"""Calling neuron-cc as tensorflow-neuron does: the same program, files, options and places."""

import collections
import json
import os
import sys
from distutils import spawn

SOURCE = "graph_def.pb"
EXECUTABLE = "graph_def.neff"
LARGE = 1024
"""Constants of more bytes than this are left out of the attribute graph_def."""


def find_neuron_cc():
    """The program, beside this Python or on PATH; None when there is none."""
    path = "%s:%s" % (os.path.dirname(sys.executable), os.environ.get("PATH", ""))
    return spawn.find_executable("neuron-cc", path)


def command(source, executable, config, compiler_args, verbose):
    """The words of a compilation."""
    words = [find_neuron_cc(), "compile", source, "--framework", "TENSORFLOW", "--output", executable]
    words += ["--pipeline", "compile", "SaveTemps", "--io-config", config]
    words += list(compiler_args or [])
    if verbose:
        words += ["--verbose", str(int(verbose))]
    return words


def io_config(inputs, outputs):
    """The io-config of a graph with these tensors."""
    described = {tensor.name: [tensor.shape.as_list(), tensor.dtype.name] for tensor in inputs}
    return json.dumps({"inputs": described, "outputs": [tensor.name for tensor in outputs]})


def model_config(executable):
    """The attribute model_config: cores of all NeuronOps, cores of this one, inferences at once, seconds to wait."""
    if not executable:
        return []
    cores = json.loads(executable.decode())["neuroncore_pipeline_cores"]
    return [cores, cores, cores, 10]


def without_large_constants(graph_def):
    """A GraphDef whose large constants have lost their content."""
    small = type(graph_def)()
    small.CopyFrom(graph_def)
    for node in small.node:
        if node.op == "Const" and node.attr["value"].ByteSize() > LARGE:
            tensor = node.attr["value"].tensor
            kept = type(tensor)(dtype=tensor.dtype, tensor_shape=tensor.tensor_shape)
            tensor.CopyFrom(kept)
    return small


def most_popular_scope(names):
    """The name scope most operators are in, level by level, while it does not lose any."""
    parts = [name.split("/") for name in names]
    scope, popularity = [], 0
    for level in range(max((len(words) for words in parts), default=0)):
        here = collections.Counter(words[level] for words in parts if level < len(words))
        word, count = here.most_common(1)[0]
        if count < popularity:
            break
        scope.append(word)
        popularity = count
    return "/".join(scope)
