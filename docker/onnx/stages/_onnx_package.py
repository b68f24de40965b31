"""The package onnx, which works with one major version of protobuf alone."""

from stage import StageInputError


def load_onnx():
    """The package onnx.

    Raises:
        StageInputError: it does not work with the protobuf that is installed.
    """
    try:
        import onnx
    except Exception as error:  # of a class that protobuf has itself
        from importlib.metadata import version

        raise StageInputError(
            "onnx %s does not work with protobuf %s, which is installed beside it: %s"
            % (version("onnx"), version("protobuf"), (str(error) or type(error).__name__).splitlines()[0])
        ) from error
    return onnx
