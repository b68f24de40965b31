"""An IR that OpenVINO does not load is refused in a sentence; a double stands in for OpenVINO."""

from __future__ import annotations

from stage_by_hand import run_by_hand

DOUBLE = """
__version__ = "2026.4"
class Core:
    def compile_model(self, path, device, config):
        raise RuntimeError("Exception from src/core.cpp:132:\\nCould not open the file\\n\\n")
"""


def test_it_is_told_in_a_sentence(tmp_path):
    (tmp_path / "openvino.py").write_text(DOUBLE)
    (tmp_path / "out").mkdir()
    (tmp_path / "probes.json").write_text('{"probes": []}')
    words = [f"--ir={tmp_path}", f"--probes={tmp_path / 'probes.json'}", f"--out={tmp_path / 'out'}"]
    done = run_by_hand("openvino", "infer", *words, doubles=tmp_path)
    said = done.stdout + done.stderr
    assert done.returncode == 2
    assert f"OpenVINO 2026.4 does not load {tmp_path}/model.xml: Could not open the file" in said
    assert "Traceback" not in said
