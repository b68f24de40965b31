"""Text in another encoding than UTF-8, told by what it begins with. Python 3.6-safe, like all of this folder."""

import codecs

from stage import StageInputError


def refuse_utf16(path, start):
    """Raise StageInputError where the first bytes of a file, two or more, are UTF-16's byte order mark."""
    if start[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        raise StageInputError("%s is UTF-16; save it as UTF-8" % path)
