"""TensorFlow 1 graphs (GraphDef, MetaGraphDef) read without TensorFlow.

Unlike the rest of the host this package is also shipped into the stage images, so it is plain Python 3.7 and uses the
standard library only. The host asks it what a checkpoint's `.meta` holds; the stages ask it which tensor of a frozen
graph takes which input.

    wire       the protobuf wire format, read and written
    dtypes     TensorFlow's DataType numbers by name
    constants  the numbers in a tensor
    node       Node: its name, operator, inputs and small attributes; how its outputs are written
    graphdef   files read: Graph, the nodes by name
    roles      which fed tensor is input_ids, input_mask, segment_ids
    encoder    where the encoder ends
    outputs    which tensors of a frozen graph are its outputs, and what they are
    operators  which operators of a stranger's graph may run
    cutting    what some outputs need, cut out of a graph: its operators checked, placeholders for its inputs
    pruning    a whole graph without what may not run and is not needed
    forward    a training graph without its gradients, and its dropouts
    dense      the dense layers behind the encoder, and what lies in front of each
    head_tracing  which heads a graph computes, be it for training or inference
    gelu       exact (erf) or approximate (tanh) gelu
    published  the form of graph that Google's 2018 archives carry
    processor  no graph: the name of this machine's instruction set, which stages and the host must agree on
"""
