"""Text → TFRecords to pre-train BERT with: masked pieces, and whether one segment follows the other.

The examples are those of the Model Garden's official/nlp/data/create_pretraining_data.py (tf-models 2.20), or with
--masks=google-research of google-research/bert's script of that name, one by one and in its order, for the same text,
vocabulary, seed and settings; docs/data.md says how memory stays flat meanwhile.
"""

import contextlib
import gzip
import hashlib
import os
import random
import resource
import tempfile
import time

from stage import Stage, StageInputError, progress, step, write_json
from vocabulary import declare_reading, load_vocab

from stages._corpus import Corpus, write_corpus
from stages._examples import Pairs
from stages._google_masking import GoogleMasking
from stages._masking import Masking
from stages._records import Encoder, Layout, shuffled, write_records
from stages._wordpiece import WordPiece

OUTPUT = "tf_examples.tfrecord"
MODEL_GARDEN, GOOGLE = MASKS = ("model-garden", "google-research")
LONGEST_WORD = {MODEL_GARDEN: 400, GOOGLE: 200}  # characters; a longer word is unknown
SPECIAL = 3  # [CLS], [SEP], [SEP]
GZIP_LEVEL = 6  # zlib's own choice, which is TensorFlow's
PATIENCE = 0.5  # seconds between two words on how much is done


def run(args, report):
    """Cut the text into pieces, draw the examples, shuffle them, write them."""
    check(args, report)
    vocab = load_vocab(args.vocab, args.vocab_reading)
    if "[MASK]" not in vocab:
        raise StageInputError("%s has no [MASK]; give the model's vocab.txt" % args.vocab)
    rng = random.Random(args.random_seed)  # noqa: S311 - nothing secret
    with tempfile.TemporaryDirectory(dir=args.out) as folder:  # not in /tmp, which in a container is memory
        with timed(report, "reading"):
            tokenizer = WordPiece(vocab, args.do_lower_case, LONGEST_WORD[args.masks])
            write_corpus(text_files(args.text), tokenizer, folder, Now("reading the text"))
        corpus = Corpus(folder)
        counts = counted(corpus)
        if counts["documents"] == 1:
            report.note(
                "the text is one document, so random next sentences come from it too, as upstream has it; "
                "an empty line ends a document"
            )
        drawn = os.path.join(folder, "drawn")
        with timed(report, "drawing"):
            counts.update(draw(args, corpus, vocab, rng, folder, drawn))
            order = shuffled(counts["examples"], rng, os.path.join(folder, "order"))
        with timed(report, "writing"):
            encoder = Encoder(
                corpus, vocab, drawn, args.max_seq_length, args.max_predictions_per_seq, args.use_v2_feature_names
            )
            names = write(args, order, encoder)
    report.facts["peak_memory_bytes_of_a_child"] = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    write_json(args.out, "prepared.json", dict(settings(args), task="pretraining", files=names, **counts))


def check(args, report):
    """Refuse settings of which no examples can be made, and say which are odd. Raises `StageInputError`."""
    most = args.max_seq_length - SPECIAL
    if most < 2:
        raise StageInputError(
            "--max_seq_length must be at least 5, to hold two segments (got %d)" % args.max_seq_length
        )
    if not 1 <= args.max_predictions_per_seq <= most:
        message = "--max_predictions_per_seq=%d is not between 1 and the %d pieces of an example of %d"
        raise StageInputError(message % (args.max_predictions_per_seq, most, args.max_seq_length))
    if not 0 < args.masked_lm_prob <= 1:
        raise StageInputError("--masked_lm_prob must be above 0 and at most 1 (got %s)" % args.masked_lm_prob)
    if not 0 <= args.short_seq_prob <= 1:
        raise StageInputError("--short_seq_prob must be in [0, 1] (got %s)" % args.short_seq_prob)
    if args.dupe_factor < 1 or args.shards < 1 or args.max_ngram_size < 0:
        raise StageInputError("--dupe_factor and --shards must be at least 1, --max_ngram_size at least 0")
    if args.max_ngram_size and not args.do_whole_word_mask:
        raise StageInputError("n-grams are of whole words: --max_ngram_size needs --do_whole_word_mask")
    if args.max_ngram_size and args.masks == GOOGLE:
        raise StageInputError("google-research/bert masks no n-grams: --max_ngram_size goes with --masks=model-garden")
    wanted = round(args.max_seq_length * args.masked_lm_prob)
    if args.max_predictions_per_seq < wanted:
        report.note(
            "a full example has %d pieces to mask, and --max_predictions_per_seq lets %d be masked"
            % (wanted, args.max_predictions_per_seq)
        )


def text_files(path):
    """The file, or the files of a folder in the order of their names. Raises `StageInputError` where there is none."""
    if os.path.isfile(path):
        return [path]
    files = [entry.path for entry in sorted(os.scandir(path), key=lambda entry: entry.name) if entry.is_file()]
    if not files:
        raise StageInputError("there is no file in %s" % path)
    return files


def counted(corpus):
    """How many documents, sentences and pieces there are."""
    return {
        "documents": len(corpus.documents) - 1,
        "sentences": len(corpus.sentences) - 1,
        "pieces": corpus.sentences[-1],
    }


def masking_of(args, vocab, rng):
    """What draws the masks, as the code base of --masks does."""
    common = {"prob": args.masked_lm_prob, "most": args.max_predictions_per_seq, "whole_words": args.do_whole_word_mask}
    if args.masks == GOOGLE:
        return GoogleMasking(rng, vocab, **common)
    return Masking(rng, args.random_seed, vocab, **common, max_ngram=args.max_ngram_size or 1)


def draw(args, corpus, vocab, rng, folder, path):
    """Draw all examples into a file, in upstream's order before its last shuffle; gives how many there are."""
    order = shuffled(len(corpus.documents) - 1, rng, os.path.join(folder, "order-of-documents"))
    pairs = Pairs(corpus, order, rng, args.max_seq_length, args.short_seq_prob)
    masking = masking_of(args, vocab, rng)
    layout = Layout(args.max_predictions_per_seq)
    now = Now("drawing examples")
    rounds = len(order) * args.dupe_factor
    examples = random_next = 0
    with open(path, "wb", buffering=1 << 20) as file:
        for done in range(rounds):
            for pair in pairs.of(done % len(order)):
                file.write(layout.pack(pair, *masking.of(corpus, pair)))
                examples += 1
                random_next += pair.is_random
            now(done + 1, rounds)
    return {"examples": examples, "random_next": random_next}


def write(args, order, encoder):
    """Write the records to as many files as there are to be; gives their names."""
    names = [OUTPUT]
    if args.shards > 1:
        names = ["%s-%05d-of-%05d" % (OUTPUT, number, args.shards) for number in range(args.shards)]
    with contextlib.ExitStack() as opened:
        files = []
        for name in names:
            file = opened.enter_context(open(os.path.join(args.out, name), "wb"))
            if args.gzip_compress:  # of no name and no time, so that the same examples are the same bytes
                file = opened.enter_context(gzip.GzipFile("", "wb", GZIP_LEVEL, file, mtime=0))
            files.append(file)
        write_records(order, encoder, files, Now("writing records"))
    return names


def settings(args):
    """What decides which examples there are, and the vocabulary's sha256."""
    with open(args.vocab, "rb") as file:
        vocab = hashlib.sha256(file.read()).hexdigest()
    left_out = ("text", "vocab", "out", "key", "shards")
    return dict({name: value for name, value in vars(args).items() if name not in left_out}, vocab_sha256=vocab)


class Now:
    """Says what the stage is doing, and now and then how much of it is done."""

    def __init__(self, doing):
        self._said = 0.0
        step(doing)

    def __call__(self, done, total):
        """So much is done of so much."""
        now = time.monotonic()
        if now - self._said > PATIENCE or done == total:
            self._said = now
            progress(done, total)


@contextlib.contextmanager
def timed(report, what):
    """Note the seconds that something takes."""
    started = time.monotonic()
    yield
    report.facts["seconds_%s" % what] = round(time.monotonic() - started, 3)


def truth(text):
    """A flag's yes or no, as absl's flags take it."""
    return {"true": True, "false": False}[text]


def main():
    """The stage's command line."""
    stage = Stage("pretraining-data", "text to TFRecords of pre-training examples")
    stage.input("text", help="a file, or a folder whose files are taken in the order of their names")
    stage.input("vocab", help="the model's vocab.txt")
    declare_reading(stage)
    stage.param(
        "masks",
        "whose examples: model-garden's (default), or google-research's, which mask other pieces",
        choices=MASKS,
        default=MODEL_GARDEN,
    )
    for name, default, help_ in (
        ("do_lower_case", "true", "make all letters small, for uncased vocabularies"),
        ("do_whole_word_mask", "false", "mask whole words and not single pieces"),
        ("gzip_compress", "false", "compress the records"),
        ("use_v2_feature_names", "false", "input_word_ids and input_type_ids in place of input_ids and segment_ids"),
    ):
        stage.param(name, help=help_, type=truth, default=default, choices=(True, False), metavar="true|false")
    for name, default, help_ in (
        ("max_ngram_size", 0, "mask so many words in a row at most; 0: no n-grams"),
        ("max_seq_length", 128, "length of an example in pieces, [CLS] and [SEP] counted"),
        ("max_predictions_per_seq", 20, "pieces to mask in an example at most"),
        ("random_seed", 12345, "what all random numbers come from"),
        ("dupe_factor", 10, "how often the text is gone through, each time with other masks"),
        ("shards", 1, "how many files to write, one example to each in turn"),
    ):
        stage.param(name, help=help_, type=int, default=default)
    stage.param("masked_lm_prob", help="part of the pieces to mask", type=float, default=0.15)
    stage.param("short_seq_prob", help="part of the documents to cut into shorter examples", type=float, default=0.1)
    stage.main(run)


if __name__ == "__main__":
    main()
