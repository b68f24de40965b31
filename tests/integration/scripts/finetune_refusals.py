"""What the stage finetune says to data and flags that do not fit, up to where it would begin to train."""

import importlib
import json
import sys
from pathlib import Path

request = json.load(sys.stdin)
sys.path[:0] = [str(Path(request["root"], part)) for part in ("docker/tf1", "docker/common", "")]
stage, finetune, prepared_folder, source_folder = map(
    importlib.import_module, ("stage", "stages.finetune", "stages._prepared", "stages._source")
)


class Flags:
    """The stage's flags as they are by default."""

    squad = max_seq_length = do_eval = do_predict = version_2_with_negative = None
    do_train = True
    pad_to_max = bucket_by_length = False
    max_query_length = 8

    def __init__(self, values):
        self.__dict__.update(values)


def said(data, flags):
    """The sentence of the refusal."""
    args = Flags(flags)
    try:
        prepared = prepared_folder.Prepared(data, args.max_seq_length, source)
        finetune.settle(args, prepared)
        prepared.require(prepared_folder.TRAIN, "do_train")
        prepared.count(prepared_folder.TRAIN)
    except stage.StageInputError as error:
        return str(error)
    return "not refused"


source = source_folder.Source(request["checkpoint"])
json.dump([said(one["data"], one["flags"]) for one in request["asked"]], sys.stdout)
