"""The folders in which the Model Garden's programs keep checkpoints, and look for the latest."""

import os
import shutil
from pathlib import Path

import tensorflow as tf


def name_latest(folder, prefix):
    """Make tf.train.latest_checkpoint find this one."""
    state = Path(folder, "checkpoint")
    state.with_suffix(".new").write_text('model_checkpoint_path: "%s"\n' % prefix, encoding="utf-8")
    state.with_suffix(".new").replace(state)


def keep_latest(folder):
    """Remove all checkpoints but the latest: each is three times the model."""
    latest = tf.train.latest_checkpoint(folder)
    for path in Path(folder).iterdir():
        if latest and path.suffix == ".index" and path.with_suffix("") != Path(latest):
            for file in Path(folder).glob(path.stem + ".*"):
                file.unlink()


def follow_chief(job):
    """Let a worker begin from what worker 0 kept, whatever it has kept itself: the last save may be missing in one."""
    latest = tf.train.latest_checkpoint(os.path.join(job.kept, "model"))
    if job.chief:
        return
    shutil.rmtree(job.model_dir)
    os.makedirs(job.model_dir)
    if latest:
        name_latest(job.model_dir, os.path.abspath(latest))
