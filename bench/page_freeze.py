"""Steps 7 to 9 of OpenVINO's page on TensorFlow BERT, in the tf1 environment: bert.run_classifier, edited as it says.

Python 3.7, started by page_procedure.py; the arguments are run_classifier.py's own. The two files are edited in memory,
by what they hold and not by line number; the installed ones stay as they are. Writes inference_graph.pb into the folder
it is started in.
"""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

GUARD = """
  if not non_static_indexes:
    return shape
"""
AFTER = """
    (total_loss, per_example_loss, logits, probabilities) = create_model(
        bert_config, is_training, input_ids, input_mask, segment_ids, label_ids,
        num_labels, use_one_hot_embeddings)
"""
SNIPPET = """
    import os, sys
    from tensorflow.python.framework import graph_io
    with tf.Session(graph=tf.get_default_graph()) as sess:
        (assignment_map, initialized_variable_names) = \\
            modeling.get_assignment_map_from_checkpoint(tf.trainable_variables(), init_checkpoint)
        tf.train.init_from_checkpoint(init_checkpoint, assignment_map)
        sess.run(tf.global_variables_initializer())
        frozen = tf.graph_util.convert_variables_to_constants(sess, sess.graph_def, ["bert/pooler/dense/Tanh"])
        graph_io.write_graph(frozen, './', 'inference_graph.pb', as_text=False)
    print('BERT frozen model path {}'.format(os.path.join(os.path.dirname(__file__), 'inference_graph.pb')))
    sys.exit(0)
"""


def run_edited(name: str, run_as: str, old: str, new: str) -> ModuleType:
    """Execute the module `name` as `run_as`, with `old` in its source replaced by `new`."""
    spec = importlib.util.find_spec(name)
    source = Path(spec.origin).read_text(encoding="utf-8")
    if source.count(old) != 1:
        sys.exit(f"{spec.origin} does not hold what the page edits exactly once:\n{old}")
    module = importlib.util.module_from_spec(spec)
    module.__name__ = run_as
    sys.modules[run_as] = module
    exec(compile(source.replace(old, new), spec.origin, "exec"), module.__dict__)  # noqa: S102 - editing it is the point
    return module


if __name__ == "__main__":
    import bert

    bert.modeling = run_edited("bert.modeling", "bert.modeling", GUARD, "\n")
    run_edited("bert.run_classifier", "__main__", AFTER, AFTER + SNIPPET)
