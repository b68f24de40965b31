"""Build files with words that were renamed: they mean what they meant, and the new word is told."""

from __future__ import annotations

import pytest
from build_files import load
from jsonschema import Draft202012Validator

from bertbuild.buildfile.schema import build_file_schema
from bertbuild.errors import UsageError
from bertbuild.kinds.frozen import Frozen
from bertbuild.kinds.ir_request import Ir
from bertbuild.kinds.neuron import Neuron
from bertbuild.kinds.neuron_ready import NeuronReady
from bertbuild.toml.document import _parsed

MODEL = '[models.m]\nmodel = "minilm-l6"\n'
READY = '[targets.n]\nkind = "neuron-ready"\n'
TANH = NeuronReady(compute="float32", gelu_approximation="tanh")
OLD = {
    "a target": (f'{READY}dtype = "float32"\ngelu = "tanh"\n{MODEL}', {"n": TANH}),
    "a matrix": (
        f'{READY}matrix = {{ dtype = ["float32"], gelu = ["tanh", "exact"] }}\n{MODEL}',
        {"n-float32-tanh": TANH, "n-float32-exact": NeuronReady(compute="float32")},
    ),
    "an override": (f'{READY}{MODEL}[models.m.override.n]\ndtype = "float32"\ngelu = "tanh"\n', {"n": TANH}),
    "defaults of the kind": (f'[defaults.neuron-ready]\ndtype = "float32"\ngelu = "tanh"\n{READY}{MODEL}', {"n": TANH}),
    "defaults of all": (f'[defaults]\ndtype = "float32"\ngelu = "tanh"\n{READY}{MODEL}', {"n": TANH}),
    "a fixed batch": (f'[targets.ir]\nkind = "ir"\nbatch = 2\n{MODEL}', {"ir": Ir(batch_size=2)}),
    "a form of gelu for all": (
        f'[defaults]\ngelu = "tanh"\n[targets.f]\nkind = "frozen"\n[targets.n]\nkind = "neuron"\n{MODEL}',
        {"f": Frozen(gelu="tanh"), "n": Neuron(gelu_approximation="tanh")},
    ),
    "batches for all": (
        f'[defaults]\nbatch = 2\nbatch_size = 8\n[targets.ir]\nkind = "ir"\n{READY}{MODEL}',
        {"ir": Ir(batch_size=2), "n": NeuronReady(batch_size=8)},
    ),
    "a batch for Neuron alone": (
        f'[defaults]\nbatch_size = 8\n[targets.ir]\nkind = "ir"\n{READY}{MODEL}',
        {"ir": Ir(), "n": NeuronReady(batch_size=8)},
    ),
}


@pytest.mark.parametrize(("text", "targets"), OLD.values(), ids=OLD)
def test_an_old_file_means_what_it_meant_and_is_told_the_new_words(tmp_path, text, targets):
    build_file = load(tmp_path, text)
    (model,) = build_file.models
    assert {target.name: target.request for target in model.targets} == targets
    assert build_file.warnings
    assert Draft202012Validator(build_file_schema()).is_valid(_parsed(text))


def test_the_new_word_is_told_once_with_its_line(tmp_path):
    build_file = load(tmp_path, f'{READY}dtype = "float32"\n{MODEL}[models.n]\nmodel = "minilm-l6"\n')
    assert build_file.warnings == (
        f'{build_file.path}, line 3: "dtype" is now "compute"; the old word goes in the next release',
    )


def test_a_default_that_other_kinds_keep_says_whose_word_is_another(tmp_path):
    build_file = load(tmp_path, f'[defaults]\ngelu = "tanh"\n[targets.f]\nkind = "frozen"\n{READY}{MODEL}')
    (told,) = build_file.warnings
    assert '"gelu" is now "gelu_approximation" of neuron-ready;' in told


@pytest.mark.parametrize("value", ["erf", "auto"])
def test_a_form_that_only_a_source_has_is_no_approximation(tmp_path, value):
    build_file = load(tmp_path, f'[defaults]\ngelu = "{value}"\n{READY}{MODEL}')
    assert build_file.models[0].targets[0].request == NeuronReady()
    assert build_file.warnings == ()


NEW = f"""
[defaults]
gelu_approximation = "tanh"
compute = "float32"
[defaults.ir]
batch_size = 2
[targets.ir]
kind = "ir"
{READY}{MODEL}"""


def test_a_file_of_new_words_is_told_nothing(tmp_path):
    build_file = load(tmp_path, NEW)
    assert [target.request for target in build_file.models[0].targets] == [Ir(batch_size=2), TANH]
    assert build_file.warnings == ()


def test_both_words_for_one_thing_are_refused(tmp_path):
    both = 'dtype = "float32"\ncompute = "float16"\n'
    for text in (f"{READY}{both}{MODEL}", f"[defaults]\n{both}{READY}{MODEL}"):
        with pytest.raises(UsageError, match=r'has both "(dtype|compute)" and "(dtype|compute)", which are the same'):
            load(tmp_path, text)


def test_an_error_names_the_word_that_was_typed(tmp_path):
    with pytest.raises(UsageError, match=r'line 3: "dtype" of \[targets.n\] must be one of float16, float32'):
        load(tmp_path, f'{READY}dtype = "int8"\n{MODEL}')


def test_both_words_of_today_stand_for_the_kinds_that_have_them(tmp_path):
    defaults = '[defaults]\ngelu = "tanh"\ngelu_approximation = "sigmoid"\n'
    build_file = load(tmp_path, f'{defaults}[targets.f]\nkind = "frozen"\n{READY}{MODEL}')
    (model,) = build_file.models
    requests = {target.name: target.request for target in model.targets}
    assert requests == {"f": Frozen(gelu="tanh"), "n": NeuronReady(gelu_approximation="sigmoid")}
    assert build_file.warnings == ()
