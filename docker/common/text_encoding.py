"""Text in another encoding than UTF-8, told by what it begins with. Python 3.6-safe, like all of this folder."""

import codecs

from stage import StageInputError


def refuse_utf16(path, start):
    """Raise StageInputError where the first bytes of a file, two or more, are UTF-16's byte order mark."""
    if start[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        raise StageInputError("%s is UTF-16; save it as UTF-8" % path)


def not_utf8(error, content, first=1):
    """Where bytes are no UTF-8: "line 3 is not UTF-8 (byte 7 of it)"; `first` is the number of their first line."""
    line, before = content.count(b"\n", 0, error.start), content.rfind(b"\n", 0, error.start)
    return "line %d is not UTF-8 (byte %d of it)" % (line + first, error.start - before)
