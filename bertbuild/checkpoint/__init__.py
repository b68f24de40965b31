"""TensorFlow checkpoints (V2, the "tensor bundle") read, checked, converted and written without TensorFlow.

Nothing is imported here, so that programs which only look for a checkpoint start without numpy.

    folder      which files make up the checkpoint a user names
    config      bert_config.json
    bundle      tensors of a checkpoint, read
    writer      a checkpoint, written
    inspection  what a checkpoint holds and what is wrong with it
    variables   the variables of a BERT by name and shape
    object_graph, strings      what a checkpoint of TensorFlow 2 has besides tensors
    model_garden, layouts      where a BERT's variables lie in TensorFlow 2, by format
    recovery    the way back
    checksums   every tensor against its CRC-32C
    graph_facts what a checkpoint's .meta tells
    lfs         git-lfs pointers lying in place of files
    table, snappy, crc32c   the layers the format is made of
"""
