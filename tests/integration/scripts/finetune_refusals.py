"""What the stage finetune says to data and flags that do not fit, up to where it would begin to train."""

import json
import os
import sys

request = json.load(sys.stdin)
sys.path[:0] = [os.path.join(request["root"], *parts) for parts in (("docker", "tf1"), ("docker", "common"), ())]

from stage import StageInputError

from stages import _prepared, _source, finetune


class Flags(object):
    """The stage's flags as they are by default."""

    squad = max_seq_length = do_eval = do_predict = version_2_with_negative = None
    do_train = True
    max_query_length = 8

    def __init__(self, values):
        self.__dict__.update(values)


def said(data, flags):
    """The sentence of the refusal."""
    args = Flags(flags)
    try:
        prepared = _prepared.Prepared(data, args.max_seq_length, source)
        finetune.settle(args, prepared)
        prepared.require(_prepared.TRAIN, "do_train")
        prepared.count(_prepared.TRAIN)
    except StageInputError as error:
        return str(error)
    return "not refused"


source = _source.Source(request["checkpoint"])
print(json.dumps([said(one["data"], one["flags"]) for one in request["asked"]]))
