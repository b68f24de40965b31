from __future__ import annotations

from pathlib import Path

import pytest
from build_files import load, only_target

from bertbuild.buildfile.entries import Recipe
from bertbuild.errors import UsageError
from bertbuild.kinds.frozen import Frozen
from bertbuild.kinds.hub import Hub
from bertbuild.kinds.ir_request import Ir
from bertbuild.kinds.neuron import Neuron
from bertbuild.kinds.neuron_ready import NeuronReady
from bertbuild.kinds.saved_model import SavedModel
from bertbuild.kinds.tf2 import Tf2
from bertbuild.kinds.tf2_savedmodel import Tf2SavedModel
from bertbuild.parameters import parameters_of
from bertbuild.plans.finetuning import FinetuneRequest, Named
from bertbuild.plans.prepare_data import OF_OWN, Records
from bertbuild.plans.wanted import Wanted

FULL = """
kind = "neuron"
standard = true
neuroncore_pipeline_cores = 4
compiler_args = "--fast"
timeout = 60
min_on_neuron = 0.90
min_memory = 16
batch_size = 8
"""


@pytest.mark.parametrize(
    ("keys", "request_"),
    [
        ('kind = "frozen"', Frozen()),
        (
            'kind = "frozen"\noutput = ["pooled", "sequence"]\ngelu = "erf"',
            Frozen(output="pooled,sequence", gelu="erf"),
        ),
        ('kind = "ir"', Ir()),
        (
            'kind="ir"\nprecision="fp16"\nroute="reshapeable"\nconverter="mo"\nbatch_size=2\nseq_len=64\noutput="sequence"',
            Ir(precision="fp16", route="reshapeable", converter="mo", batch_size=2, seq_len=64, output="sequence"),
        ),
        ('kind = "saved-model"', SavedModel()),
        ('kind = "saved-model"\nseq_len = 384\noutput = "pooled"', SavedModel(seq_len=384, output="pooled")),
        ('kind = "neuron-ready"', NeuronReady()),
        (
            'kind = "neuron-ready"\ncompute = "float32"\ngelu_approximation = "sigmoid"\nbatch_size = 1\nseq_len = 64',
            NeuronReady(seq_len=64, compute="float32", gelu_approximation="sigmoid", batch_size=1),
        ),
        ('kind = "neuron"', Neuron()),
        (
            FULL,
            Neuron(
                batch_size=8,
                standard=True,
                neuroncore_pipeline_cores=4,
                compiler_args="--fast",
                timeout=60,
                min_on_neuron="0.90",
                min_memory="16",
            ),
        ),
        ('kind = "tf2"', Tf2()),
        ('kind = "tf2"\nformat = "keras-bert"', Tf2(format="keras-bert")),
        ('kind = "tf2-savedmodel"\ngelu = "tanh"', Tf2SavedModel(gelu="tanh")),
        ('kind = "hub"', Hub()),
    ],
)
def test_each_kind_makes_the_request_of_its_command(tmp_path, keys, request_):
    target = only_target(tmp_path, f"[targets.mine]\n{keys}")
    assert target.request == request_
    assert (target.name, target.table) == ("mine", "mine")


def test_int8_comes_with_what_it_is_calibrated_on(tmp_path):
    target = only_target(
        tmp_path,
        '[targets.ir]\nkind = "ir"\nprecision = "int8"\noutput = ["probabilities"]\ncalibration = "data/mrpc"\n'
        "calibration_size = 50\nmax_drop = 0.010",
    )
    assert target.request == Ir(
        precision="int8",
        output="probabilities",
        calibration=str(tmp_path / "data/mrpc"),
        calibration_size=50,
        max_drop="0.010",
    )


def test_a_matrix_may_hold_int8_beside_precisions_that_need_no_calibration(tmp_path):
    (model,) = load(
        tmp_path,
        '[targets.ir]\nkind = "ir"\ncalibration_text = "/t.txt"\nmatrix = { precision = ["fp32", "int8"] }\n'
        '[models.m]\nmodel = "minilm-l6"',
    ).models
    assert [(target.name, target.request) for target in model.targets] == [
        ("ir-fp32", Ir()),
        ("ir-int8", Ir(precision="int8", calibration_text="/t.txt")),
    ]


def test_calibration_may_be_a_default_of_all_irs(tmp_path):
    target = only_target(tmp_path, '[defaults.ir]\ncalibration = "d"\n[targets.ir]\nkind = "ir"')
    assert target.request == Ir()


def test_an_int8_ir_may_be_for_processors_with_vnni_alone(tmp_path):
    text = '[targets.ir]\nkind = "ir"\nprecision = "int8"\ncalibration_text = "/t.txt"\n'
    for line, wanted in (("", "any"), ('int8_for = "any"\n', "any"), ('int8_for = "vnni"\n', "vnni")):
        (model,) = load(tmp_path, text + line + '[models.a]\nmodel = "minilm-l6"\n').models
        assert [target.request.int8_for for target in model.targets] == [wanted]


def test_a_model_may_have_a_target_in_another_precision_than_int8(tmp_path):
    text = (
        '[targets.ir]\nkind = "ir"\nprecision = "int8"\ncalibration = "d"\n'
        '[models.m]\nmodel = "minilm-l6"\n[models.m.override.ir]\nprecision = "fp16"\n'
    )
    (model,) = load(tmp_path, text).models
    assert model.targets[0].request == Ir(precision="fp16")
    with pytest.raises(UsageError, match="Only int8 is calibrated"):
        load(tmp_path, text + 'calibration = "e"')


def test_a_number_travels_as_it_was_typed(tmp_path):
    for typed in ("0.010", "1e-2", '"0.010"', "1_0.5e-3"):
        text = f'kind = "ir"\nprecision = "int8"\noutput = "probabilities"\ncalibration = "d"\nmax_drop = {typed}'
        assert only_target(tmp_path, f"[targets.ir]\n{text}").request.max_drop == typed.strip('"').replace("_", "")


def test_a_matrix_makes_a_target_of_each_combination_in_the_order_written(tmp_path):
    (model,) = load(
        tmp_path,
        '[targets.ir]\nkind = "ir"\nmatrix = { precision = ["fp32", "fp16"], seq_len = [0, 128] }\n'
        '[targets.f]\nkind = "frozen"\nmatrix = { output = ["pooled", ["pooled", "sequence"]] }\n'
        '[targets.n]\nkind = "neuron"\nmatrix = { standard = [true, false] }\n'
        '[models.m]\nmodel = "minilm-l6"',
    ).models
    assert [target.name for target in model.targets] == [
        *("ir-fp32-0", "ir-fp32-128", "ir-fp16-0", "ir-fp16-128"),
        *("f-pooled", "f-pooled+sequence"),
        *("n-true", "n-false"),
    ]
    assert [target.table for target in model.targets] == ["ir"] * 4 + ["f"] * 2 + ["n"] * 2
    last_ir, f = model.targets[3].request, model.targets[5].request
    assert (last_ir.precisions, last_ir.seq_len) == (("fp16",), 128)
    assert f.output == "pooled,sequence"


LAYERS = """
[defaults]
seq_len = 1
batch_size = 11
[defaults.ir]
{kind}
[targets.ir]
kind = "ir"
{own}
{matrix}
[models.m]
model = "minilm-l6"
[models.m.override.ir]
{override}
[models.other]
model = "minilm-l6"
"""


@pytest.mark.parametrize(
    ("given", "names", "seq_len"),
    [
        ({}, ["ir"], 1),
        ({"kind": "seq_len = 2"}, ["ir"], 2),
        ({"kind": "seq_len = 2", "own": "seq_len = 3"}, ["ir"], 3),
        ({"kind": "seq_len = 2", "own": "seq_len = 3", "matrix": "matrix = { seq_len = [4] }"}, ["ir-4"], 4),
        ({"own": "seq_len = 3", "override": "seq_len = 5"}, ["ir"], 5),
        ({"matrix": "matrix = { seq_len = [4, 6] }", "override": "seq_len = 5"}, ["ir-5"], 5),
    ],
)
def test_the_layer_nearest_to_the_target_wins(tmp_path, given, names, seq_len):
    layers = dict.fromkeys(("kind", "own", "matrix", "override"), "") | given
    model, other = load(tmp_path, LAYERS.format(**layers)).models
    assert [target.name for target in model.targets] == names
    assert model.targets[0].request.seq_len == seq_len
    assert other.targets[0].request.seq_len != 5  # an override is one model's alone


def test_a_default_that_a_kind_does_not_take_is_passed_over(tmp_path):
    text = '[defaults]\nbatch_size = 2\ncompute = "float32"\nprecision = "fp16"\n[targets.hub]\nkind = "hub"'
    assert only_target(tmp_path, text).request == Hub()


def test_a_default_whose_value_a_kind_does_not_take_may_be_replaced(tmp_path):
    for replacement in ('[defaults.neuron]\ngelu = "exact"\n[targets.n]\n', '[targets.n]\ngelu = "exact"\n'):
        text = f'[defaults]\ngelu = "erf"\n{replacement}kind = "neuron"'
        assert only_target(tmp_path, text).request == Neuron()


def test_a_model_has_all_targets_or_those_it_lists_in_its_order(tmp_path):
    models = load(
        tmp_path,
        '[targets.ir]\nkind = "ir"\n[targets.hub]\nkind = "hub"\n[targets.f]\nkind = "frozen"\n'
        '[models.all]\nmodel = "minilm-l6"\n'
        '[models.two]\nmodel = "minilm-l6"\ntargets = ["f", "ir"]\n'
        '[models.none]\nmodel = "minilm-l6"\ntargets = []\n',
    ).models
    assert {model.name: [target.name for target in model.targets] for model in models} == {
        "all": ["ir", "hub", "f"],
        "two": ["f", "ir"],
        "none": [],
    }


def test_a_model_comes_from_one_of_four_places(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    models = load(
        tmp_path,
        '[targets.hub]\nkind = "hub"\n'
        '[models.a]\nmodel = "bert-base-uncased"\n'
        '[models.b]\ncheckpoint = "../mine.zip"\n'
        '[models.c]\nhuggingface = "~/hf"\n'
        '[models.d]\nfinetune = { from="c", task="MRPC", num_train_epochs = 2, learning_rate = 3e-5, do_eval=false }\n'
        '[models.e.finetune]\nfrom = "d"\nprepared = "data"\nsquad = "/dev.json"\nlearning_rate = "2e-5"\n',
    ).models
    assert [model.source for model in models] == [
        Wanted(model="uncased_L-12_H-768_A-12", name="a"),
        Wanted(checkpoint=str(tmp_path / "../mine.zip"), name="b"),
        Wanted(checkpoint="/home/me/hf", name="c"),
        Recipe(
            base="c",
            named=Named(task="MRPC"),
            request=FinetuneRequest(num_train_epochs=2.0, learning_rate=3e-5, do_eval=False),
        ),
        Recipe(
            base="d",
            named=Named(prepared=str(tmp_path / "data"), squad="/dev.json"),
            request=FinetuneRequest(learning_rate=2e-5),
        ),
    ]


def test_graphs_and_saved_models_are_sources_too(tmp_path):
    models = load(
        tmp_path,
        '[targets.ir]\nkind = "ir"\n[targets.ready]\nkind = "neuron-ready"\n'
        '[models.a]\nfrozen = "a.pb"\noutputs = "x:y"\ntargets = ["ir"]\n'
        '[models.b]\nsaved_model = "b"\ntargets = ["ready"]\n',
    ).models
    assert [model.source for model in models] == [
        Wanted(frozen=str(tmp_path / "a.pb"), outputs="x:y", name="a"),
        Wanted(saved_model=str(tmp_path / "b"), name="b"),
    ]


def test_a_recipe_takes_own_data_as_prepare_data_does(tmp_path):
    """The words of the recipe are those that `Records` declares; nothing is declared twice."""
    head = '[targets.hub]\nkind = "hub"\n[models.a]\nmodel = "minilm-l6"\n'
    recipe = (
        load(
            tmp_path,
            f'{head}[models.b.finetune]\nfrom = "a"\ntask = "own"\ndata = "reviews.csv"\ntext_column = "review"\n'
            'label_column = "stars"\nlabels = "bad,good"\ndev_share = 0.1\n',
        )
        .models[1]
        .source
    )
    assert recipe.named == Named(
        task="own",
        data=str(tmp_path / "reviews.csv"),
        text_column="review",
        label_column="stars",
        labels="bad,good",
        dev_share="0.1",
    )
    declared, named = parameters_of(Records), parameters_of(Named)
    assert {name: named[name] for name in OF_OWN} == {name: declared[name] for name in OF_OWN}


def test_paths_are_absolute_though_the_file_was_named_by_a_relative_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    (model,) = load(Path("sub"), '[targets.hub]\nkind = "hub"\n[models.a]\ncheckpoint = "c"').models
    assert model.source.checkpoint == str(tmp_path / "sub" / "c")


def test_settings_may_stand_in_the_same_file(tmp_path):
    assert load(tmp_path, 'jobs = 2\n[targets.hub]\nkind = "hub"\n[models.a]\nmodel = "minilm-l6"').model("a").targets
