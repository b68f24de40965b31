"""The devices a training runs on, and what goes wrong with them in sentences."""

import contextlib
import os
import socket
import threading

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")  # the Model Garden is written for Keras 2

import tensorflow as tf
from official.common import distribute_utils
from stage import StageInputError

TPU_SECONDS = 60
"""TensorFlow asks for a TPU for a quarter of an hour; one that is there answers within seconds."""


def strategy(args):
    """The Model Garden's distribution strategy; over virtual CPUs, which it does not know, TensorFlow's own.

    Must come before anything else that TensorFlow does.

    Raises:
        StageInputError: this machine has no such devices.
    """
    found = len(tf.config.list_physical_devices("GPU"))
    if args.num_gpus > found:
        raise StageInputError(
            "this machine has %d GPUs that TensorFlow can use; --num-gpus=%d" % (found, args.num_gpus)
        )
    if args.distribution_strategy == "tpu":
        return _on_tpu(args)
    if args.distribution_strategy == "mirrored" and args.virtual_cpus > 1:
        (cpu,) = tf.config.list_physical_devices("CPU")
        parts = [tf.config.LogicalDeviceConfiguration()] * args.virtual_cpus
        tf.config.set_logical_device_configuration(cpu, parts)
        return tf.distribute.MirroredStrategy(["CPU:%d" % number for number in range(args.virtual_cpus)])
    return distribute_utils.get_distribution_strategy(args.distribution_strategy, num_gpus=args.num_gpus)


def _on_tpu(args):
    host, _, port = args.tpu.removeprefix("grpc://").rpartition(":")
    if host:  # else a name that Google's cloud knows, or a TPU of this machine
        try:
            socket.create_connection((host, int(port)), timeout=10).close()
        except (OSError, ValueError) as error:
            raise StageInputError("no TPU answers at %s: %s" % (args.tpu, error)) from error
    ended = {}

    def ask():
        try:
            ended["strategy"] = distribute_utils.get_distribution_strategy("tpu", tpu_address=args.tpu)
        except Exception as error:  # noqa: BLE001 - whatever it says, there is no TPU to train on
            ended["error"] = error

    asking = threading.Thread(target=ask, daemon=True)  # nothing ends it from outside
    asking.start()
    asking.join(TPU_SECONDS)
    if "strategy" in ended:
        return ended["strategy"]
    words = str(ended.get("error") or "no answer within %d seconds" % TPU_SECONDS).strip().split("\n")[0]
    raise StageInputError("there is no TPU %s: %s" % ("at " + args.tpu if args.tpu else "in this machine", words))


@contextlib.contextmanager
def told_in_a_sentence(job):
    """TensorFlow's errors that are about what it was given, as refusals."""
    try:
        yield
    except (tf.errors.ResourceExhaustedError, MemoryError) as error:
        size = job.args.train_batch_size if job.args.mode.startswith("train") else job.args.eval_batch_size
        raise StageInputError("memory ran out with batches of %d; take smaller ones" % size) from error
    except tf.errors.InvalidArgumentError as error:
        if "is not in [0, %d)" % job.config.vocab_size not in str(error):
            raise
        message = "the data have word numbers beyond the model's vocabulary of %d: they were prepared with another"
        raise StageInputError(message % job.config.vocab_size) from error
