"""Several IRs over one file of weights: the constants of an IR are looked up in another one's .bin, and added to it
where it lacks them.
"""

import hashlib
import os
import re
import shutil

ALIGNED = 64  # as OpenVINO writes constants
_PLACE = re.compile(rb'offset="(\d+)" size="(\d+)"')


class Weights(object):
    """A .bin that grows.

    Args:
        model: path of the IR, without .xml, that it belongs to.
    """

    def __init__(self, model):
        self._path = model + ".bin"
        self._places = {}
        with open(model + ".xml", "rb") as xml, open(self._path, "rb") as file:
            for place in _PLACE.finditer(xml.read()):
                offset, size = map(int, place.groups())
                self._places.setdefault(_digest(_read(file, offset, size)), offset)

    def share(self, model):
        """Have an IR find its constants here; it gets this file in the place of its own when all is done (`link`)."""
        with open(model + ".xml", "rb") as xml, open(model + ".bin", "rb") as own, open(self._path, "ab") as file:

            def moved(place):
                size = int(place[2])
                content = _read(own, int(place[1]), size)
                key = _digest(content)
                if key not in self._places:
                    file.write(bytes(-file.tell() % ALIGNED))
                    self._places[key] = file.tell()
                    file.write(content)
                return b'offset="%d" size="%d"' % (self._places[key], size)

            text = _PLACE.sub(moved, xml.read())
        with open(model + ".xml", "wb") as xml:
            xml.write(text)
        os.unlink(model + ".bin")

    def link(self, model):
        """Give an IR this file under its own name: once on the disk, where the file system can."""
        try:
            os.link(self._path, model + ".bin")
        except OSError:
            shutil.copyfile(self._path, model + ".bin")


def _read(file, offset, size):
    file.seek(offset)
    return file.read(size)


def _digest(content):
    return len(content), hashlib.sha256(content).digest()
