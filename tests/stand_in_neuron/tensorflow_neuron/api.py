"""`tensorflow.neuron` of the stand-in; the wheel has this file at tensorflow/neuron and at tensorflow_core/neuron."""

from tensorflow_neuron import __version__, saved_model
from tensorflow_neuron.fuse import fuse

__all__ = ["__version__", "fuse", "saved_model"]
