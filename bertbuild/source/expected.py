"""What a Hugging Face folder will be once it is imported: enough to plan with, so that refusals need no import."""

from __future__ import annotations

from pathlib import Path

from bertbuild.checkpoint.head_evidence import Known
from bertbuild.checkpoint.head_judging import judge_kinds
from bertbuild.families.bert_names import POOLER
from bertbuild.families.table import FAMILIES
from bertbuild.huggingface.folder import find_files
from bertbuild.huggingface.importing import import_tensors
from bertbuild.huggingface.settings import read_settings
from bertbuild.huggingface.weights import read_weights
from bertbuild.plans.plan import File, Source
from bertbuild.source.checkpoints import PLAIN_PREFIX
from bertbuild.source.origin import origin_of


def expected_source(folder: Path, name: str, head: str = "") -> Source:
    """The source that the import of a folder gives, without its file and parts. Of safetensors only headers are read.

    Args:
        folder: of Hugging Face.
        name: what the model is called.
        head: the kind that the user says its head is of, or "".

    Raises:
        CheckpointError: the folder cannot be imported.
        UsageError: its head is of another kind than the user says.
    """
    files = find_files(folder)
    settings = read_settings(files.config)
    imported = import_tensors(settings, read_weights(files))
    shapes = {google: imported.numbers.shape(google) for google in imported.numbers}
    hidden, family = settings.bert_config["hidden_size"], FAMILIES[settings.family]
    judged = judge_kinds(Known(shapes=shapes, hidden=hidden, imported=imported.head, told=head))
    nobody = File(path=Path(), digest="")
    return Source(
        model=name,
        kind="checkpoint",
        file=nobody,
        origin=origin_of(nobody, family.name, imported.prefix, settings.theirs),
        family=family.name,
        gelu=settings.gelu,
        prefix=PLAIN_PREFIX,
        heads=judged.found,
        refused=judged.refused,
        pooler=all(part in shapes for part in POOLER),
        max_positions=int(settings.bert_config["max_position_embeddings"]),
    )
