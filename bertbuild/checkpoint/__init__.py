"""TensorFlow 1 checkpoints (V2, the "tensor bundle") read, checked and written without TensorFlow.

Nothing is imported here, so that programs which only look for a checkpoint start without numpy.

    folder      which files make up the checkpoint a user names
    config      bert_config.json
    bundle      tensors of a checkpoint, read
    writer      a checkpoint, written
    inspection  what a checkpoint holds and what is wrong with it
    variables   the variables of a BERT by name and shape
    checksums   every tensor against its CRC-32C
    graph_facts what a checkpoint's .meta tells
    lfs         git-lfs pointers lying in place of files
    table, snappy, crc32c   the layers the format is made of
"""
