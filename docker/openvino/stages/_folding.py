"""Constants folded in a model, by any version of OpenVINO that the stages run in."""


def fold_constants(model):
    """Replace what reads constants alone by the constant that it gives; changes the openvino.Model."""
    try:
        from openvino import passes
    except ImportError:  # 2024
        from openvino.runtime import passes

    manager = passes.Manager()
    manager.register_pass(passes.ConstantFolding())
    manager.run_passes(model)
