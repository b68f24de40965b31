"""bertbuild: from TensorFlow 1 BERT checkpoints to deployable models that are proved to answer like their source."""

__version__ = "0.1.0"
