"""The fingerprint.pb of a SavedModel made one that the same model has each time."""

import hashlib
import os

from tensorflow.core.protobuf import fingerprint_pb2


def settle(folder):
    """Put a number in the place of the random one that TensorFlow writes beside the hashes of a SavedModel's parts.

    It is made of these hashes; like TensorFlow's it has 128 bits and is written in decimal.
    """
    path = os.path.join(folder, "fingerprint.pb")
    fingerprint = fingerprint_pb2.FingerprintDef()
    with open(path, "rb") as file:
        fingerprint.ParseFromString(file.read())
    fingerprint.ClearField("uuid")
    hashes = hashlib.sha256(fingerprint.SerializeToString(deterministic=True)).digest()
    fingerprint.uuid = str(int.from_bytes(hashes[:16], "big"))
    with open(path, "wb") as file:
        file.write(fingerprint.SerializeToString(deterministic=True))
