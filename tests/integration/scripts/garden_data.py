"""In the tf2 environment: the Model Garden's create_finetuning_data on files, and our records beside its own.

Request: {"work": folder, "jobs": [{"ours": a prepared folder, "glue": the task's folder, "splits": […], "flags": {…}}]}
Answers, for each job: how many examples were compared, what differs, upstream's meta data.
"""

import json
import os
import sys
from pathlib import Path

os.environ["TF_USE_LEGACY_KERAS"] = "1"
sys.path.insert(0, str(Path(__file__).parent / "stand_ins"))

from absl import flags, logging
from compare_records import compared
from official.nlp.data import create_finetuning_data

logging.set_verbosity("error")
FLAGS = flags.FLAGS


def run(job, folder):
    os.environ["GLUE_FOLDER"] = job.get("glue", "")
    names = {split: "test_{}" if split == "test" and job.get("by_language") else split for split in job["splits"]}
    given = {f"{split}_data_output_path": f"{folder}/{name}.tf_record" for split, name in names.items()}
    given |= {"meta_data_file_path": f"{folder}/meta_data.json", **job["flags"]}
    for name in FLAGS:
        FLAGS[name].unparse()
    FLAGS(["create_finetuning_data", *(f"--{name}={value}" for name, value in given.items())])
    create_finetuning_data.main([])
    return {**compared(job["ours"], folder), "meta": (folder / "meta_data.json").read_text()}


request = json.load(sys.stdin)
answers = []
for number, job in enumerate(request["jobs"]):
    work = Path(request["work"], str(number))
    work.mkdir(parents=True)
    answers.append(run(job, work))
json.dump(answers, sys.stdout)
