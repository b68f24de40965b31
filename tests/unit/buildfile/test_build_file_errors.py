from __future__ import annotations

import pytest
from build_files import load

from bertbuild.buildfile.load import load_build_file
from bertbuild.errors import UnknownModelError, UsageError

IR = '[targets.ir]\nkind = "ir"\n'
MODEL = '[models.m]\ncheckpoint = "c"\n'
CASES = [
    # keys
    (IR + 'precison = "fp16"', 3, '[targets.ir] knows no key "precison"; did you mean "precision"?'),
    (IR + "seq-len = 3", 3, '[targets.ir] knows no key "seq-len"; did you mean "seq_len"?'),
    (IR + 'dtype = "float32"', 3, '[targets.ir] knows no key "dtype".'),
    (IR + "matrix = { seqlen = [1] }", 3, '[targets.ir.matrix] knows no key "seqlen"; did you mean "seq_len"?'),
    ("[defaults]\nseq_leng = 1\n" + IR, 2, '[defaults] knows no key "seq_leng"; did you mean "seq_len"?'),
    ("[defaults.irr]\n" + IR, 1, '[defaults] knows no key "irr"; did you mean "ir"?'),
    ("[defaults.hub]\nbatch = 1\n" + IR, 2, '[defaults.hub] knows no key "batch".'),
    (
        IR + "[models.m.override.ir]\nbach_size = 1\n" + MODEL,
        4,
        '[models.m.override.ir] knows no key "bach_size"; did you mean "batch_size"?',
    ),
    (IR + "[models.m]\ncheckpiont = 'c'", 4, '[models.m] knows no key "checkpiont"; did you mean "checkpoint"?'),
    (IR + "[models.m.finetune]\nform = 'c'", 4, '[models.m.finetune] knows no key "form"; did you mean "from"?'),
    ("[target.ir]\nkind = 'ir'", 1, 'no setting or table is called "target"; did you mean "targets"?'),
    # types and words
    (
        IR + 'precision = "fp61"',
        3,
        '"precision" of [targets.ir] must be one of fp32, fp16, int8, int8-weights, int4-weights, not "fp61"',
    ),
    (
        IR + 'precision = ["fp32", "fp16"]',
        3,
        '"precision" of [targets.ir] must be one of fp32, fp16, int8, int8-weights, int4-weights, not an array.',
    ),
    (IR + "output = [\n  'pooled',\n  'sequenc',\n]", 5, 'not "sequenc"; did you mean "sequence"?'),
    (IR + "output = []", 3, "or an array of them, each once, not an array."),
    (IR + "output = ['pooled', 'pooled']", 3, "or an array of them, each once, not an array."),
    (IR + "output = 'pooled,sequence'", 3, 'not "pooled,sequence"'),
    (IR + 'seq_len = "128"', 3, '"seq_len" of [targets.ir] must be a whole number, 0 or more, not "128".'),
    (IR + "seq_len = 128.0", 3, "not 128.0."),
    (IR + "seq_len = -1", 3, "not -1."),
    (IR + "seq_len = 99_999_999_999", 3, "not 99999999999."),
    (IR + "seq_len = true", 3, "not true."),
    (IR + "seq_len = 1979-05-27", 3, "not a date or time."),
    (IR + "seq_len = {}", 3, "not a table."),
    (IR + "max_drop = nan", 3, '"max_drop" of [targets.ir] must be a number, 0 or more and below 1, not nan.'),
    (IR + "max_drop = 'much'", 3, 'must be a number, 0 or more and below 1, not "much".'),
    (IR + "calibration = ''", 3, '"calibration" of [targets.ir] must be a path, not "".'),
    ("[targets.n]\nkind = 'neuron'\nstandard = 1", 3, '"standard" of [targets.n] must be true or false, not 1.'),
    ("[targets.n]\nkind = 'neuron'\ncompiler_args = 1", 3, '"compiler_args" of [targets.n] must be a string, not 1.'),
    (
        "[defaults]\ngelu = 'erv'\n" + IR,
        2,
        'one of auto, erf, tanh, or one of exact, tanh, sigmoid, not "erv"; did you mean "erf"?',
    ),
    ("[targets.t]\nkind = 'caffe'", 2, '"kind" of [targets.t] must be one of frozen, ir, onnx, saved-model,'),
    ("[targets.t]\nkind = 3", 2, '"kind" of [targets.t] must be one of frozen,'),
    ("[targets.t]\nbatch = 3", 1, '[targets.t] has no "kind".'),
    ("targets = 3", 1, "[targets] must be a table, not 3."),
    ("[[targets]]\nir = 1", 1, "[targets] must be a table, not an array."),
    ("[targets]\nir = 1", 2, "[targets.ir] must be a table, not 1."),
    (IR + "models = 1", 3, '[targets.ir] knows no key "models".'),
    (IR + "[models]\nm = 'minilm-l6'", 4, '[models.m] must be a table, not "minilm-l6".'),
    (IR + "[models.m]\nfinetune = 'mrpc'", 4, '[models.m.finetune] must be a table, not "mrpc".'),
    (IR + "[models.m]\nmodel = ''", 4, '"model" of [models.m] must be a string that is not empty, not "".'),
    ("defaults = true\n" + IR, 1, "[defaults] must be a table, not true."),
    # values that requests refuse
    (IR + 'precision = "int8"', 1, "[targets.ir]: int8 needs examples of what the model will see"),
    (
        IR + "max_drop = 0.1\ncalibration = 'd'",
        4,
        "[targets.ir]: Only int8 is calibrated; calibration, calibration_text,",
    ),
    (
        IR + "precision = 'int8'\ncalibration = 'd'\noutput = 'probabilities'\n\nmax_drop = 2",
        7,
        '"max_drop" of [targets.ir] must be a number, 0 or more and below 1, not 2.',
    ),
    (
        "[defaults.neuron]\nmin_on_neuron = 1.5\n[targets.n]\nkind = 'neuron'",
        2,
        '"min_on_neuron" of [defaults.neuron] must be a number from 0 to 1, not 1.5.',
    ),
    (
        "[targets.n]\nkind = 'neuron'\nstandard = true\n[models.m.override.n]\ngelu = 'tanh'\n" + MODEL,
        3,
        "[models.m.override.n]: standard compiles the exported SavedModel as it is; compute and gelu_approximation do",
    ),
    (
        "[defaults]\ngelu = 'exact'\n[targets.f]\nkind = 'frozen'",
        2,
        'frozen takes no "exact" as "gelu": it must be one of auto,',
    ),
    (
        IR + "[models.b]\nfinetune = { from = 'm', task = 'MRPC', warmup_proportion = 1.5 }",
        4,
        '"warmup_proportion" of [models.b.finetune] must be a number, 0 or more and below 1, not 1.5.',
    ),
    # names
    (IR + "[models.'a b']\ncheckpoint = 'c'", 3, '"a b" cannot be a folder\'s name.'),
    (IR + "[models.'..']\ncheckpoint = 'c'", 3, '".." cannot be a folder\'s name.'),
    (IR + f"[models.{'a' * 300}]\ncheckpoint = 'c'", 3, "cannot be a folder's name."),
    ("[targets.'a/b']\nkind = 'ir'", 1, '"a/b" cannot be a folder\'s name.'),
    ("[targets.'']\nkind = 'ir'", 1, '"" cannot be a folder\'s name.'),
    (IR + "matrix = { calibration = ['a/b'] }", 1, '"ir-a/b" cannot be a folder\'s name.'),
    (IR + "matrix = { seq_len = [1, 1] }", 1, '[targets.ir] make two targets named "ir-1".'),
    (
        IR + "matrix = { seq_len = [1] }\n[targets.ir-1]\nkind = 'hub'",
        4,
        '[targets.ir] and [targets.ir-1] make two targets named "ir-1".',
    ),
    (
        IR + "matrix = { seq_len = [1] }\n[targets.ir-2]\nkind = 'hub'\n[models.m.override.ir]\nseq_len = 2\n" + MODEL,
        6,
        'make two targets named "ir-2".',
    ),
    # matrices
    (IR + "matrix = { seq_len = [] }", 3, "[targets.ir.matrix.seq_len] is empty"),
    (IR + "matrix = {}", 3, "[targets.ir.matrix] is empty"),
    (IR + "matrix = { seq_len = 3 }", 3, '"seq_len" of [targets.ir.matrix] must be an array of values, not 3.'),
    (IR + "matrix = 3", 3, "[targets.ir.matrix] must be a table, not 3."),
    (IR + "matrix = { seq_len = [\n 1,\n 'x'] }", 5, '"seq_len" of [targets.ir.matrix] must be a whole number,'),
    (
        IR + f"matrix = {{ seq_len = {list(range(100))}, batch = {list(range(6))} }}",
        3,
        "[targets.ir.matrix] has 600 combinations, more than 500.",
    ),
    # models
    (IR + "[models.m]", 3, "[models.m] does not say where the model comes from."),
    (IR + MODEL + "model = 'minilm-l6'", 5, '[models.m] has both "checkpoint" and "model".'),
    (IR + MODEL + "targets = ['ir', 'irr']", 5, 'there is no [targets.*] named "irr"; did you mean "ir"?'),
    (IR + MODEL + "targets = [\n'ir',\n\n'ir']", 8, '"targets" of [models.m] has "ir" twice.'),
    (IR + MODEL + "targets = 'ir'", 5, '"targets" of [models.m] must be an array of names of [targets.*], not "ir".'),
    (IR + MODEL + "targets = [1]", 5, "must be an array of names of [targets.*], not 1."),
    (IR + MODEL + "[models.m.override.ri]\n", 5, 'there is no [targets.*] named "ri"'),
    (IR + MODEL + "targets = []\n[models.m.override.ir]\n", 6, 'm does not list "ir" in its targets.'),
    (IR + "[models.m]\nfinetune = { task = 'MRPC' }", 4, '[models.m.finetune] has no "from".'),
    (IR + "[models.m]\nfinetune = { from = 'x' }", 4, '[models.m.finetune] has neither "task" nor "prepared".'),
    (IR + "[models.m]\nfinetune = { from = 'x', task = 'RTE', prepared = 'd' }", 4, 'has both "task" and "prepared".'),
    (
        IR + MODEL + "[models.n.finetune]\nfrom = 'm'\ntask = 'RTE'\nlabels = 'a,b'",
        8,
        "[models.n.finetune]: labels is for your own data, and RTE says it already.",
    ),
    (
        IR + MODEL + "[models.n.finetune]\nfrom = 'm'\nprepared = 'p'\ntext_column = 'a'",
        8,
        "[models.n.finetune]: text_column is for your own data, and prepared data say it already.",
    ),
    (
        IR + MODEL + "[models.n.finetune]\nfrom = 'm'\ntask = 'own'",
        7,
        "[models.n.finetune]: task own has no files to fetch.",
    ),
    (
        IR + MODEL + "[models.n.finetune]\nfrom = 'm'\ntask = 'own'\ndata = 'd'\ndev_share = 1.5",
        9,
        '"dev_share" of [models.n.finetune] must be a number above 0 and below 1, not 1.5.',
    ),
    (
        IR + MODEL + "[models.n.finetune]\nfrom = 'm'\ntextcolumn = 'a'",
        7,
        'no key "textcolumn"; did you mean "text_column"?',
    ),
    (IR + MODEL + "outputs = 'x'", 5, '"outputs" of [models.m] says how a frozen graph is read, and none is named.'),
    (IR + "[models.m]\nfrozen = 'g.pb'\nema = true", 5, '"ema" of [models.m] says how a checkpoint is read'),
    (IR + "[models.m]\nfinetune = { from = 'x', task = 'mrcp' }", 4, 'not "mrcp"; did you mean "MRPC"?'),
    (
        IR + MODEL + "[models.n]\nfinetune = { from = 'mm', task = 'RTE' }",
        6,
        'there is no model named "mm"; did you mean "m"?',
    ),
    (IR + "[models.m]\nfinetune = { from = 'm', task = 'RTE' }", 4, "m begins with m: that has no beginning."),
    (
        IR
        + "[models.a]\nfinetune = { from = 'b', task = 'RTE' }\n"
        + "[models.b]\nfinetune = { from = 'c', task = 'RTE' }\n"
        + "[models.c]\nfinetune = { from = 'b', task = 'RTE' }\n",
        8,
        "b begins with c begins with b: that has no beginning.",
    ),
]


@pytest.mark.parametrize(("text", "line", "sentence"), CASES)
def test_an_error_says_file_line_key_and_what_is_nearest(tmp_path, text, line, sentence):
    if "[models" not in text:
        text += "\n" + MODEL
    with pytest.raises(UsageError) as raised:
        load(tmp_path, text)
    assert str(raised.value).startswith(f"{tmp_path / 'bertbuild.toml'}, line {line}: ")
    assert sentence in str(raised.value)
    assert str(raised.value)[-1] in ".?"
    assert raised.value.next_step
    assert raised.value.exit_code == 2


def test_the_next_step_lists_what_is_known_and_who_else_knows_the_key(tmp_path):
    with pytest.raises(UsageError) as raised:
        load(tmp_path, "[targets.f]\nkind = 'frozen'\nbatch_size = 3")
    assert raised.value.next_step == (
        'Known here: kind, matrix, output, gelu, reference. "batch_size" is a key of ir, onnx, neuron-ready, neuron.'
    )


def test_a_list_where_one_value_is_due_leads_to_the_matrix(tmp_path):
    with pytest.raises(UsageError) as raised:
        load(tmp_path, IR + "seq_len = [64, 128]")
    assert "matrix = { seq_len = […] }" in raised.value.next_step


def test_a_model_that_the_catalogue_lacks_is_told_with_its_line(tmp_path):
    with pytest.raises(UnknownModelError, match=r"line 4: \[models\.m\]: The catalogue has no model named 'minlim'"):
        load(tmp_path, IR + "[models.m]\nmodel = 'minlim'")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "has no [models.NAME]"),
        (IR, "has no [models.NAME]"),
        (MODEL, "has no [targets.NAME]"),
        ("jobs = 1", "no [models"),
    ],
)
def test_a_file_with_nothing_to_build_is_told(tmp_path, text, sentence):
    with pytest.raises(UsageError) as raised:
        load(tmp_path, text)
    assert sentence in str(raised.value)
    assert "docs/build-file.md" in raised.value.next_step


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(UsageError, match=r"There is no .*fleet\.toml\.") as raised:
        load_build_file(tmp_path / "fleet.toml")
    assert "--file" in raised.value.next_step


def test_a_file_that_is_no_toml_is_told_with_its_line(tmp_path):
    with pytest.raises(UsageError, match=r"line 3: not valid TOML"):
        load(tmp_path, IR + "precision = fp32")
