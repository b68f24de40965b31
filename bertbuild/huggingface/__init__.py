"""Hugging Face folders (config.json, vocabulary, PyTorch's weights), read with NumPy alone as google-research/bert's.

Nothing is imported here, so that programs which only look at a folder start without numpy.

    folder      which files make up a Hugging Face folder
    settings    config.json → bert_config.json, every key of it accounted for (harmless: those that mean nothing)
    kin         models that are not BERT, by name
    stored      a tensor that lies in a file, read when it is asked for
    safetensors the tensors of a .safetensors file
    weights     the tensors of a folder, whatever files they lie in
    naming      Hugging Face's names and layouts → google-research/bert's
    heads       which of its heads google-research/bert has too
    importing   the tensors of a folder under Google's names, checked against its settings
"""
