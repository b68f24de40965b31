"""A config.pbtxt read by tritonclient's own message, as JSON."""

import sys
from pathlib import Path

from google.protobuf import json_format, text_format
from tritonclient.grpc import model_config_pb2

config = text_format.Parse(Path(sys.argv[1]).read_text(encoding="utf-8"), model_config_pb2.ModelConfig())
print(json_format.MessageToJson(config, indent=None))  # noqa: T201
