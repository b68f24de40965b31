"""The commands on the way to TensorFlow 2 and back as Invoke tasks."""

from __future__ import annotations

from bertbuild.cli.flags import COMMON_HELP, ISOLATION_HELP, REFERENCE_HELP, REPLACE_HELP, SOURCE_HELP
from bertbuild.cli.frame import running
from bertbuild.cli.task import task


@task(
    help=COMMON_HELP
    | REPLACE_HELP
    | REFERENCE_HELP
    | ISOLATION_HELP
    | {
        "tf2": "folder of a TensorFlow 2 checkpoint, SavedModel or hub module, of convert-tf2 or the Model Garden",
        "root": "of several encoders in the checkpoint the one below this object, as query",
        "config": "bert_config.json, where it is not in the model's folder",
        "vocab": "vocab.txt, where it is not in the model's folder",
        "gelu": "erf or tanh; auto (default): as recorded beside the model, else tanh, the Model Garden's",
        "name": SOURCE_HELP["name"],
        "checkpoint_to_path": "also copy the result to this prefix",
    },
)
def convert_tf1(
    tf2: str = "",
    root: str = "",
    config: str = "",
    vocab: str = "",
    gelu: str = "auto",
    name: str = "",
    checkpoint_to_path: str = "",
    isolation: str = "",
    offline: bool = False,
    replace: bool = False,
    reference: str = "",
    json: bool = False,
) -> None:
    """Convert a TensorFlow 2 BERT back to a Google-format checkpoint with .meta."""
    from bertbuild.commands import tensorflow2

    with running(json=json, reference=reference, replace=replace, isolation=isolation, offline=offline) as session:
        tensorflow2.convert_tf1(session, tf2, config, vocab, gelu, name, checkpoint_to_path, root=root)
