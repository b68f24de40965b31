"""TensorFlow checkpoints (V2, the "tensor bundle", and V1) read, checked, converted and written without TensorFlow.

Nothing is imported here, so that programs which only look for a checkpoint start without numpy.

    folder, state_file, v1_files   which files make up the checkpoint a user names
    config      bert_config.json
    bundle, slices   tensors of a checkpoint, read; the parts of partitioned ones
    v1, tensors      tensors of a checkpoint of the first format; of either
    writer      a checkpoint, written
    inspection, judging   what a checkpoint holds and what is wrong with it
    variables   the variables of a BERT by name and shape
    reading     which variables are those of the BERT that is meant
    training, kin   variables of the optimizer; of other models than BERT
    imported    whether a checkpoint was made of a Hugging Face folder
    plain       a checkpoint written again as google-research/bert saves one
    object_graph, strings      what a checkpoint of TensorFlow 2 has besides tensors
    model_garden, layouts      where a BERT's variables lie in TensorFlow 2, by format
    recovery    the way back
    checksums, intact   every tensor against its CRC-32C
    graph_facts what a checkpoint's .meta tells
    regular, user_files   files of a user: refused unopened where they are none, by their encoding where not UTF-8
    lfs         git-lfs pointers lying in place of files
    table, snappy, crc32c   the layers the format is made of
"""
