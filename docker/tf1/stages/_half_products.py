"""Matrix products of float16 as a Neuron device computes them.

A device multiplies float16 and adds up in float32. TensorFlow 1.15's CPU kernels add up in float16, which is up to a
hundredth off after a sum of 768, and four hundred times slower. So where answers of a float16 model are compared on a
CPU, each product is computed in float32 between casts: the same numbers enter, the same type comes out.
"""

from stages._tensorflow import tf

PRODUCTS = ("MatMul", "BatchMatMul", "BatchMatMulV2")


def accumulate_in_float32(graph_def):
    """Put casts around every product of float16 in a tf.GraphDef, in place; the names of all tensors stay."""
    for node in list(graph_def.node):
        if node.op in PRODUCTS and node.attr["T"].type == tf.float16.as_datatype_enum:
            name = node.name
            factors = [
                _cast(graph_def.node.add(), "%s/factor_%d" % (name, index), tensor, tf.float16, tf.float32)
                for index, tensor in enumerate(node.input[:2])
            ]
            product = graph_def.node.add()
            product.CopyFrom(node)
            product.name = name + "/float32"
            product.attr["T"].type = tf.float32.as_datatype_enum
            product.input[:2] = factors
            node.Clear()
            _cast(node, name, product.name, tf.float32, tf.float16)


def _cast(node, name, tensor, source, target):
    """Make a new node the cast of a tensor; its name."""
    node.name, node.op = name, "Cast"
    node.input.append(tensor)
    node.attr["SrcT"].type = source.as_datatype_enum
    node.attr["DstT"].type = target.as_datatype_enum
    return name
