"""A stand-in for AWS's neuron-cc: it checks what the compiler would check first, and compiles nothing."""

__version__ = "1.13.5.0+stand.in"
