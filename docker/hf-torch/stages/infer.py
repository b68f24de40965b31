"""infer: run probes through a Hugging Face folder, in transformers' own PyTorch classes.

config.json names the class, or --class does. Every weight that the class has must be in the folder, else the stage
fails; transformers itself would make one up and go on. Of a folder that was made here the class must read every weight,
and the tokenizer, as transformers loads it, must make of each of some texts what google-research/bert's makes of it.
"""

import os

import answered
import questions
import transformers_answers
from stage import Stage, StageInputError, read_json, step

STAGE = Stage("infer", __doc__.splitlines()[0])
transformers_answers.declare(STAGE)
questions.declare(STAGE)


def run(args, report):
    """Load, compare the tokenizer, answer."""
    step("loading PyTorch and transformers")
    # No network, and no device but the processor: what is read is the folder.
    os.environ.update(HF_HUB_OFFLINE="1", CUDA_VISIBLE_DEVICES="")
    os.environ["HF_HOME"] = os.environ.get("TMPDIR", "/tmp")  # noqa: S108 - nothing is written there
    import answers
    import torch
    import transformers_tokenizer
    from transformers.utils import logging as their_logging

    their_logging.set_verbosity_error()
    their_logging.disable_progress_bar()
    told = {} if args.class_ else read_json(args.huggingface, "signature.json")
    if "do_lower_case" in told:
        step("comparing the tokenizer")
        report.facts["texts"] = transformers_tokenizer.compare(args.huggingface, told)
    step("loading the model")
    model, kinds, unread = load(args.huggingface, args.class_)
    if unread and not args.class_:
        raise StageInputError("%s does not read %s of the folder" % (type(model).__name__, ", ".join(unread)))
    report.facts["unread"] = unread
    wanted = args.output.split(",") if args.output else None
    encoder = None
    if wanted and "pooled" in wanted and kinds.heads:
        encoder = load(args.huggingface, transformers_answers.encoder_class(args.huggingface))[0]

    def run_model(feeds):
        asked = {
            "input_ids": torch.tensor(feeds["input_ids"], dtype=torch.long),
            "attention_mask": torch.tensor(feeds["input_mask"], dtype=torch.long),
            "token_type_ids": torch.tensor(feeds["segment_ids"], dtype=torch.long),
        }
        with torch.inference_mode():
            given = model(output_hidden_states=True, **asked)
            pooled = None if encoder is None else encoder(**asked).pooler_output
        return transformers_answers.named(given, kinds, pooled, wanted)

    found = questions.read(args, report).answer(run_model)
    answers.write_answers(args.out, found)
    answered.write(args.out, answered.rows("transformers' %s in PyTorch" % type(model).__name__, found))
    report.packages = versions()
    report.facts["class"] = type(model).__name__


def load(folder, architecture=None):
    """The model of a folder, what tells what its logits are, and the names of the weights that it does not read.

    Args:
        folder: with config.json and weights.
        architecture: its class; None for the one that config.json names.

    Raises:
        StageInputError: transformers has no such class, or the folder lacks weights of it.
    """
    import transformers

    told = read_json(folder, "config.json")
    family = transformers_answers.family_of(told)
    name = architecture or (told.get("architectures") or ["?"])[0]
    if not hasattr(transformers, name):
        raise StageInputError("transformers has no class %s, which config.json asks for" % name)
    kind = getattr(transformers, name)
    model, found = kind.from_pretrained(folder, output_loading_info=True, local_files_only=True)
    missing = set(found["missing_keys"])
    if missing and all(key.startswith("pooler.") for key in missing):  # an encoder without one
        options = {"add_pooling_layer": False}
        model, found = kind.from_pretrained(folder, output_loading_info=True, local_files_only=True, **options)
        missing = set(found["missing_keys"])
    unread = transformers_answers.require_read(missing, found["unexpected_keys"], name)
    return model.float().train(False), transformers_answers.Kinds(name, family, told.get("problem_type")), unread


def versions():
    """Of the packages that answered."""
    from importlib.metadata import version

    return {name: version(name) for name in ("numpy", "safetensors", "tokenizers", "torch", "transformers")}


if __name__ == "__main__":
    STAGE.main(run)
