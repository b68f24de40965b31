"""The commands on data sets as Invoke tasks."""

from __future__ import annotations

from bertbuild.cli.flags import (
    COMMON_HELP,
    ISOLATION_HELP,
    OFFLINE_HELP,
    REPLACE_HELP,
    VOCAB_READING,
    truth,
    whole_number,
)
from bertbuild.cli.frame import running
from bertbuild.cli.task import task

PREPARE_HELP = {
    "task": "AX, COLA, MNLI, MRPC, QNLI, QQP, RTE, SST-2, STS-B, WNLI, XNLI, SQUAD-1.1 or SQUAD-2.0",
    "data": "folder with the task's files, or a SQuAD file (.json), which is a task; default: what fetch-data brings",
    "model": "a model of the catalogue, whose vocabulary and lower-casing are taken",
    "checkpoint": "a checkpoint of your own, whose vocab.txt is taken",
    "vocab-file": "a vocab.txt by itself, where no model is named; beside --checkpoint, that checkpoint's",
    "config": "the checkpoint's bert_config.json, where it is not in its folder",
    "vocab-reading": VOCAB_READING,
    "name": "what to call the result; default: the model's, the folder's or the vocabulary's name",
    "max-seq-length": "pieces of a sequence, [CLS] and [SEP] counted (default 128)",
    "do-lower-case": "true or false; default: as the catalogue says of the model, else true",
    "mnli-type": "matched (default) or mismatched: which dev and test set of MNLI",
    "xnli-language": "of XNLI's training data (default en); all for every one",
    "version-2-with-negative": "SQuAD 2.0, whose questions may have no answer: the same as --task SQUAD-2.0",
    "doc-stride": "pieces between two windows of a SQuAD paragraph (default 128)",
    "max-query-length": "pieces of a SQuAD question; the rest is cut off (default 64)",
    "fine-tuning-task-type": "classification, regression or squad; the task says it already",
    "train-data-output-path": "also copy train.tf_record to this path",
    "eval-data-output-path": "also copy eval.tf_record to this path",
    "test-data-output-path": "also copy test.tf_record to this path; for XNLI with {} in it, the language's place",
    "meta-data-file-path": "also copy meta_data.json to this path",
    "from": "folder with downloaded models and data sets; nothing is downloaded",
    "mirror": "base URL that takes the place of the public one",
}


@task(
    iterable=["task"],
    help=COMMON_HELP
    | OFFLINE_HELP
    | {
        "task": "a data set to fetch, e.g. MRPC or SQuAD-1.1; GLUE and SQuAD mean all of theirs; several with commas",
        "list": "show all data sets and fetch nothing",
        "from": "folder with downloaded zips or unpacked data sets; nothing is downloaded",
        "mirror": "base URL of a server or folder that has the published files side by side",
    },
)
def fetch_data(
    task: list[str],
    list: bool = False,  # noqa: A002 - the flag's name
    from_: str = "",
    mirror: str = "",
    offline: bool = False,
    json: bool = False,
) -> None:
    """Download GLUE, SQuAD and XNLI; every file is checked, and says how it is licensed."""
    from bertbuild.commands import datasets

    with running(json=json, offline=offline, local=from_, mirror=mirror) as session:
        if list:
            datasets.list_datasets(session)
        else:
            datasets.fetch_data(session, tuple(name for names in task for name in names.split(",")))


@task(
    optional=["do_lower_case", "version_2_with_negative"],
    help=COMMON_HELP | REPLACE_HELP | ISOLATION_HELP | PREPARE_HELP,
)
def prepare_data(
    task: str = "",
    data: str = "",
    model: str = "",
    checkpoint: str = "",
    vocab_file: str = "",
    config: str = "",
    vocab_reading: str = "",
    name: str = "",
    max_seq_length: str = "128",
    do_lower_case: str = "",
    mnli_type: str = "matched",
    xnli_language: str = "en",
    version_2_with_negative: str = "",
    doc_stride: str = "128",
    max_query_length: str = "64",
    fine_tuning_task_type: str = "",
    train_data_output_path: str = "",
    eval_data_output_path: str = "",
    test_data_output_path: str = "",
    meta_data_file_path: str = "",
    from_: str = "",
    mirror: str = "",
    isolation: str = "",
    offline: bool = False,
    replace: bool = False,
    json: bool = False,
) -> None:
    """Make TFRecords to fine-tune BERT with, of GLUE, XNLI or SQuAD, as the Model Garden's."""
    from bertbuild.commands import data as commands

    with running(
        json=json, replace=replace, isolation=isolation, offline=offline, local=from_, mirror=mirror
    ) as session:
        commands.prepare_data(
            session,
            commands.Asked(
                task=task,
                kind=fine_tuning_task_type,
                data=data,
                model=model,
                checkpoint=checkpoint,
                config=config,
                vocab=vocab_file,
                vocab_reading=vocab_reading,
                name=name,
                lower_case=truth("do-lower-case", str(do_lower_case)),
                negatives=truth("version-2-with-negative", str(version_2_with_negative)),
                sizes={
                    "max_seq_length": whole_number("max-seq-length", max_seq_length),
                    "max_query_length": whole_number("max-query-length", max_query_length),
                    "doc_stride": whole_number("doc-stride", doc_stride),
                },
                mnli_type=mnli_type,
                xnli_language=xnli_language,
                copies={
                    "train": train_data_output_path,
                    "eval": eval_data_output_path,
                    "test": test_data_output_path,
                    "meta_data": meta_data_file_path,
                },
            ),
        )
