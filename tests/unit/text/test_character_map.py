"""The double array that OpenVINO looks characters up in, read here as Darts-clone's own code reads one."""

from __future__ import annotations

import struct

import pytest

from bertbuild.text.character_map import character_map

TABLE = {"A": "a", "é": "e", "É": "e", "字": " 字 ", "\u200b": "", "𝟏": "1", "\U0010ffff": " ", ".": " . "}


def looked_up(content, char):
    """The text in the place of a character; None where the table does not have it."""
    (size,) = struct.unpack_from("<I", content)
    units = struct.unpack_from(f"<{size // 4}I", content, 4)
    place = 0
    unit = units[0]
    for byte in char.encode():
        place ^= unit >> 10
        place ^= byte
        unit = units[place]
        if unit & (1 << 31 | 0xFF) != byte:
            return None
    if not unit >> 8 & 1:
        return None
    begin = 4 + size + (units[place ^ unit >> 10] & 0x7FFFFFFF)
    return content[begin : content.index(b"\0", begin)].decode()


def test_each_character_leads_to_its_text():
    content = character_map(TABLE)
    assert {char: looked_up(content, char) for char in TABLE} == TABLE


@pytest.mark.parametrize("char", ["B", "a", "\x01", "è", "学", "\u200c", "𝟐", "\U0010fffe", "\u0900", "\U000fffff"])
def test_other_characters_lead_nowhere(char):
    assert looked_up(character_map(TABLE), char) is None


def test_equal_texts_are_there_once():
    content = character_map(TABLE)
    assert content.count(b"e\0") == 1
    assert character_map(TABLE) == content


def test_many_characters_are_told_apart():
    table = {chr(number): f" {chr(number)} " for number in range(0x4E00, 0x6000)}
    content = character_map(table)
    assert all(looked_up(content, char) == text for char, text in table.items())
    assert looked_up(content, "\u6000") is None
