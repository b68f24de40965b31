from __future__ import annotations

import pytest

from bertbuild.graph.processor import INSTRUCTION_SETS, LIMIT, has_avx, has_vnni, instruction_set

SKYLAKE = "sse4_1 avx avx2 avx512f avx512bw avx512dq avx512vl avx512cd"
ZEN4 = f"{SKYLAKE} avx512_vnni avx512_bf16"
MACHINES = {
    "Haswell": ("sse4_1 avx avx2", "AVX2"),
    "Zen 2, which has many more": ("sse4_1 avx avx2 sha_ni clzero", "AVX2"),
    "Alder Lake": ("sse4_1 avx avx2 avx_vnni", "AVX2_VNNI"),
    "Skylake server": (SKYLAKE, "AVX512_CORE"),
    "Cascade Lake": (f"{SKYLAKE} avx512_vnni", "AVX512_CORE_VNNI"),
    "Zen 4": (ZEN4, "AVX512_CORE_BF16"),
    "Sapphire Rapids": (f"{ZEN4} avx512_fp16 avx_vnni amx_tile amx_int8 amx_bf16", "AVX512_CORE_AMX"),
    "Knights Landing, whose AVX-512 lacks a part": ("sse4_1 avx avx2 avx512f avx512cd", "AVX2"),
    "of 2008": ("sse2", ""),
}


@pytest.fixture
def cpuinfo(tmp_path, monkeypatch):
    """A file like /proc/cpuinfo, of a processor of two cores with some flags."""
    monkeypatch.delenv(LIMIT, raising=False)

    def write(flags):
        path = tmp_path / "cpuinfo"
        path.write_text(f"processor\t: 0\nflags\t\t: fpu {flags}\nbugs\t\t:\n\n" * 2)
        return str(path)

    return write


@pytest.mark.parametrize("machine", MACHINES)
def test_the_best_instruction_set_that_a_processor_has(cpuinfo, machine):
    flags, name = MACHINES[machine]
    assert instruction_set(cpuinfo(flags)) == name


@pytest.mark.parametrize(
    ("limit", "name"),
    [("AVX2", "AVX2"), ("avx512_core_vnni", "AVX512_CORE_VNNI"), ("AVX512_CORE_AMX", "AVX512_CORE_BF16"),
     ("DEFAULT", "AVX512_CORE_BF16"), ("", "AVX512_CORE_BF16")],
)  # fmt: skip
def test_a_limit_is_heeded_and_gives_nothing_that_is_not_there(cpuinfo, monkeypatch, limit, name):
    monkeypatch.setenv(LIMIT, limit)
    assert instruction_set(cpuinfo(ZEN4)) == name


def test_avx2_with_vnni_is_no_part_of_avx_512(cpuinfo, monkeypatch):
    monkeypatch.setenv(LIMIT, "AVX512_CORE")
    assert instruction_set(cpuinfo("avx2 avx_vnni")) == "AVX2"


def test_avx_is_a_flag_of_its_own_and_taken_to_be_there_where_no_flag_is_told(cpuinfo, tmp_path):
    assert has_avx(cpuinfo("sse4_1 avx"))
    assert not has_avx(cpuinfo("sse4_1 sse4_2 avx_like"))
    assert has_avx(str(tmp_path / "none"))


def test_a_machine_that_tells_nothing_has_no_name(tmp_path):
    assert instruction_set(str(tmp_path / "none")) == ""


def test_which_sets_have_vnni():
    assert [name for name in INSTRUCTION_SETS if has_vnni(name)] == [
        "AVX2_VNNI",
        "AVX2_VNNI_2",
        "AVX512_CORE_VNNI",
        "AVX512_CORE_BF16",
        "AVX512_CORE_FP16",
        "AVX512_CORE_AMX",
    ]
    assert not has_vnni("")
