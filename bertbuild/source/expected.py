"""What a Hugging Face folder will be once it is imported: enough to plan with, so that refusals need no import."""

from __future__ import annotations

from pathlib import Path

from bertbuild.checkpoint.config import config_from
from bertbuild.families.bert_names import POOLER
from bertbuild.heads.classifier import found
from bertbuild.huggingface.folder import find_files
from bertbuild.huggingface.heads import CLASSIFIER
from bertbuild.huggingface.importing import import_tensors, read_weights
from bertbuild.huggingface.settings import read_settings
from bertbuild.plans.plan import File, Source
from bertbuild.source.checkpoints import PLAIN_PREFIX


def expected_source(folder: Path, name: str) -> Source:
    """The source that the import of a folder gives, without its file and parts. Of safetensors only headers are read.

    Raises:
        CheckpointError: the folder cannot be imported.
    """
    files = find_files(folder)
    settings = read_settings(files.config)
    numbers = import_tensors(settings, read_weights(files)).numbers
    weights = CLASSIFIER[0]
    return Source(
        model=name,
        kind="checkpoint",
        file=File(path=Path(), digest=""),
        gelu=settings.gelu,
        prefix=PLAIN_PREFIX,
        heads=(found(numbers.shape(weights)[0]),) if weights in numbers else (),
        pooler=all(part in numbers for part in POOLER),
        max_positions=config_from(settings.bert_config, name=str(files.config)).max_position_embeddings,
    )
