"""A text as pieces on disk: what pre-training examples are cut from, whatever its size.

Three files of numbers hold the ids of all pieces, where each sentence begins among them, and where each document
begins among the sentences. The two indexes are mapped into memory, the ids are read where they are wanted: the system's
cache of files keeps what there is room for, and no process holds the text.
"""

import contextlib
import mmap
import os
from array import array

import numpy as np
from stage import StageInputError
from text_encoding import refuse_utf16

from stages._ordered import ordered

_BLOCK = 1 << 22  # bytes of text that one process turns into ids at a time
_ID = array("i").itemsize
_BOUNDARY = 0  # in place of a sentence's length: a line that ends a document


class Corpus:
    """The text that `write_corpus` left in a folder.

    `sentences[i]` is the number of the first piece of sentence i, `documents[d]` that of the first sentence of
    document d; both have one item more, where the last one ends.
    """

    def __init__(self, folder):
        self._ids = os.open(os.path.join(folder, "ids"), os.O_RDONLY)
        self.sentences = mapped(os.path.join(folder, "sentences"), "q")
        self.documents = mapped(os.path.join(folder, "documents"), "q")

    def ids(self, begin, end):
        """The ids of the pieces from `begin` up to `end`: a new array."""
        found = array("i")
        found.frombytes(os.pread(self._ids, (end - begin) * _ID, begin * _ID))
        return found

    def pieces(self, pairs):
        """The ids of pairs of segments (begin, end, begin, end), one after the other: int32."""
        read, file = os.pread, self._ids
        content = [
            read(file, (end - begin) * _ID, begin * _ID) + read(file, (stop - start) * _ID, start * _ID)
            for begin, end, start, stop in pairs
        ]
        return np.frombuffer(b"".join(content), np.int32)


def mapped(path, kind):
    """A file of numbers of that kind (as `array` calls it), read and written in place."""
    with open(path, "r+b") as file:
        return memoryview(mmap.mmap(file.fileno(), 0)).cast(kind)


def write_corpus(paths, tokenizer, folder, on_progress):
    """Cut files into pieces, all of them one text as upstream has it: a document goes on from one file to the next.

    A line is a sentence and a line of white space ends a document; lines and documents without a piece are left out.
    `on_progress` is called with the bytes done and the bytes there are. Raises `StageInputError` where a file is not
    UTF-8 or no file has a sentence.
    """
    total = sum(map(os.path.getsize, paths))
    blocks = [block for path in paths for block in _blocks(path)]
    index = _Index()
    done = 0
    with contextlib.ExitStack() as opened:
        ids, sentences, documents = (
            opened.enter_context(open(os.path.join(folder, name), "wb")) for name in ("ids", "sentences", "documents")
        )
        for block, (pieces, lengths) in zip(blocks, ordered(_cut, blocks, tokenizer)):
            ids.write(pieces)
            begun = index.add(lengths)
            sentences.write(begun[0])
            documents.write(begun[1])
            done += block[2] - block[1]
            on_progress(done, total)
        sentences.write(array("q", [index.pieces]))
        documents.write(array("q", [index.sentences]))
    if not index.sentences:
        names = ", ".join(map(os.path.basename, paths))
        raise StageInputError("there is no sentence in %s; give text with a sentence on each line" % names)


class _Index:
    """Counts pieces and sentences, and knows whether the next sentence begins a document."""

    def __init__(self):
        self.pieces = self.sentences = 0
        self._within = False

    def add(self, lengths):
        """Where the sentences of these lengths begin, and which of them begin a document."""
        begins, firsts = array("q"), array("q")
        for length in lengths:
            if length == _BOUNDARY:
                self._within = False
                continue
            if not self._within:
                firsts.append(self.sentences)
                self._within = True
            begins.append(self.pieces)
            self.pieces += length
            self.sentences += 1
        return begins, firsts


def _blocks(path):
    """Parts of a file as (path, first byte, byte after the last), each of whole lines."""
    begin, size = 0, os.path.getsize(path)
    with open(path, "rb") as file:
        while begin < size:
            file.seek(begin + _BLOCK)
            file.readline()
            end = min(file.tell(), size)
            yield path, begin, end
            begin = end


def _cut(tokenizer, block):
    """The ids of a block's pieces, and for each line its number of pieces or `_BOUNDARY`."""
    pieces, lengths = array("i"), array("i")
    for line in _lines(*block):
        sentence = line.strip()
        if not sentence:
            lengths.append(_BOUNDARY)
            continue
        ids = tokenizer.ids(sentence)
        if ids:
            pieces.extend(ids)
            lengths.append(len(ids))
    return pieces, lengths


def _lines(path, begin, end):
    with open(path, "rb") as file:
        file.seek(begin)
        content = file.read(end - begin)
    if begin == 0:
        refuse_utf16(os.path.basename(path), content)
    try:
        lines = content.decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        name, place = os.path.basename(path), begin + error.start
        message = "%s is not UTF-8: byte %d is 0x%02x; convert it with iconv -t UTF-8"
        raise StageInputError(message % (name, place, content[error.start])) from error
    return lines if lines[-1] else lines[:-1]
