"""A stand-in for AWS's tensorflow-neuron on TensorFlow 1.15: its calls, and a NeuronOp that runs on the CPU.

It is for tests where AWS's packages cannot be had. The compiler is started as the real package starts it, and its
failures are met as the real package meets them; but a NeuronOp made here runs wherever TensorFlow 1.15 does, while the
real one needs a Neuron device.
"""

__version__ = "1.15.5.2.8.9.0+stand.in"
