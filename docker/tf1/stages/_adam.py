"""AdamWeightDecayOptimizer of bert-tensorflow, computed in place.

Upstream writes a step as a dozen operations over each variable, and a new array for each of them: for a small model,
whose word embeddings are most of its weights, that takes longer than the gradients. TensorFlow's own operator for Adam
computes the same in one pass, for it is Adam without the correction for bias; both powers of beta are 0 here, which
leaves it out. Moments, their names and what is excluded from weight decay are upstream's. Sums are in another order, so
that figures differ in their last digits.
"""

import contextlib

import tensorflow as tf
from bert import optimization
from tensorflow.python.training import training_ops


@contextlib.contextmanager
def learning_rates(in_place):
    """Let create_optimizer tell its learning rates, to TensorBoard too: a list that gets the tensor of each.

    Args:
        in_place: compute the steps in place; else by upstream's own operations.
    """
    found = []
    optimizer = optimization.AdamWeightDecayOptimizer
    theirs = optimizer.apply_gradients

    def apply_gradients(self, grads_and_vars, global_step=None, name=None):
        found.append(tf.convert_to_tensor(self.learning_rate))
        tf.compat.v1.summary.scalar("learning_rate", found[-1])
        return (_apply_in_place if in_place else theirs)(self, grads_and_vars, global_step, name)

    optimizer.apply_gradients = apply_gradients
    try:
        yield found
    finally:
        optimizer.apply_gradients = theirs


def count_after(rate):
    """Count a step when its learning rate is known.

    Upstream's graph does both at once, so that the learning rate is now and then that of the next step, and no two runs
    of one seed are alike.
    """
    counter = tf.compat.v1.train.get_global_step()
    for operation in tf.compat.v1.get_default_graph().get_operations():
        assigns = operation.type == "AssignVariableOp" and operation.inputs[0] is counter.handle
        if assigns and operation is not counter.initializer:
            operation._add_control_input(rate.op)  # noqa: SLF001 - nothing public adds one to what is there already


def _apply_in_place(optimizer, grads_and_vars, global_step=None, name=None):
    """See `tf.train.Optimizer`: the step of all variables. Upstream's does not count it in global_step either."""
    del global_step
    # Each gradient was clipped by the norm of all of them: when one is there, nothing reads the variables any more, and
    # they can be written over.
    pairs = [(tf.convert_to_tensor(one), variable) for one, variable in grads_and_vars if one is not None]
    return tf.group(*(_step(optimizer, gradient, variable) for gradient, variable in pairs), name=name)


def _step(optimizer, gradient, variable):
    # As upstream's: the decay is of the variable as it was, and not part of the moments.
    name = variable.op.name
    rate = tf.convert_to_tensor(optimizer.learning_rate)
    place, mean, square = map(_place, (variable, _moment(variable, "adam_m"), _moment(variable, "adam_v")))
    decays = []
    if optimizer._do_use_weight_decay(name):  # noqa: SLF001 - nothing public tells which variables decay
        with tf.control_dependencies([gradient]):
            share = rate * optimizer.weight_decay_rate
            decays.append(training_ops.apply_gradient_descent(place, share, place))
    with tf.control_dependencies(decays):
        settings = (optimizer.beta_1, optimizer.beta_2, optimizer.epsilon)
        return training_ops.apply_adam(place, mean, square, 0.0, 0.0, rate, *settings, gradient)


def _moment(variable, name):
    return tf.compat.v1.get_variable(
        "%s/%s" % (variable.op.name, name),
        shape=variable.shape.as_list(),
        dtype=tf.float32,
        trainable=False,
        initializer=tf.compat.v1.zeros_initializer(),
    )


def _place(variable):
    return variable._ref()  # noqa: SLF001 - what TensorFlow's own optimizers give these operators
