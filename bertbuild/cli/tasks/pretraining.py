"""prepare-pretraining-data."""

from __future__ import annotations

from bertbuild.cli.declared import Values, declared
from bertbuild.cli.flags import ISOLATION, JSON, OFFLINE, REPLACE
from bertbuild.commands.session import Session
from bertbuild.parameters import Parameter, parameters_of, picked
from bertbuild.toml.values import Location, Name

FILES = (
    Parameter(
        name="input_file",
        type=Location(),
        written="FILE[,FILE…]",
        about="text: a sentence a line, an empty line between documents; several files with commas, or *.txt",
    ),
    Parameter(
        name="output_file",
        type=Location(),
        written="FILE[,FILE…]",
        about="copy the records to this file too; to several with commas, one example to each in turn",
    ),
    Parameter(name="vocab_file", type=Location(), written="FILE", about="the model's vocab.txt"),
    Parameter(name="name", type=Name(), about="what to call the results; default: the vocabulary's name"),
)


def _flags() -> list[Parameter]:
    from bertbuild.plans.pretraining_data import PretrainingRequest

    return [*FILES, *parameters_of(PretrainingRequest).values()]


def _run(session: Session, values: Values) -> None:
    from bertbuild.commands import pretraining
    from bertbuild.plans.pretraining_data import PretrainingRequest

    text, output, vocab, name = (str(values.get(one.name, "")) for one in FILES)
    outputs = tuple(filter(None, output.split(",")))
    request = PretrainingRequest(**picked(PretrainingRequest, values), shards=len(outputs) or 1)
    pretraining.prepare_pretraining_data(session, text, vocab, outputs, name, request)


prepare_pretraining_data = declared(
    "prepare-pretraining-data",
    "Make TFRecords to pre-train BERT with: masked pieces and next sentences, as the Model Garden's.",
    _flags,
    (ISOLATION, OFFLINE, REPLACE, JSON),
    _run,
    example="--input-file text.txt --vocab-file vocab.txt",
)
