"""The accuracy of a classifier's IR, and quantization that keeps it within a bound."""

import numpy as np
from stage import StageInputError

OUTPUT = "probabilities"


class Accuracy:
    """The share of examples for which a model's probabilities have their largest value at the label."""

    def __init__(self, model, examples, shape):
        """Refuse a model without a head, and labels it has no class for.

        Args:
            model: the openvino.Model to be quantized.
            examples: `_calibration.Examples` with labels.
            shape: batch size and sequence length, each None where free.
        """
        outputs = [port for port in model.outputs if OUTPUT in port.get_names()]
        if not outputs:
            raise StageInputError("the model gives no probabilities, so it has no accuracy to bound")
        classes = outputs[0].get_partial_shape()[-1]
        if classes.is_static and examples.labels.max() >= classes.get_length():
            raise StageInputError(
                "%s has the label %d, and the model knows %d classes"
                % (examples.path, examples.labels.max(), classes.get_length())
            )
        self.examples = examples
        self._shape = shape

    def of(self, model):
        """The accuracy of an openvino.Model, computed in float32 where it is not int8."""
        import openvino

        compiled = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        return self._validate(compiled, self.items())[0]

    def items(self):
        """(feeds, labels of the rows) of each run."""
        rows = self._shape[0] or 1
        starts = range(0, len(self.examples), rows)
        labels = (self.examples.labels[start : start + rows] for start in starts)
        return list(zip(self.examples.feeds(*self._shape), labels))

    def quantize(self, model, dataset, max_drop, **options):
        """Quantize, and put operators back into float32 until the accuracy falls by no more than `max_drop`."""
        import nncf

        items = self.items()
        # One worker: NNCF would choose how many by how long things took, and what it puts back must not depend on that.
        restorer = nncf.AdvancedAccuracyRestorerParameters(num_ranking_workers=1)
        return nncf.quantize_with_accuracy_control(
            model,
            dataset,
            nncf.Dataset(items, lambda item: item[0]),
            validation_fn=lambda compiled, _: self._validate(compiled, items),
            max_drop=max_drop,
            advanced_accuracy_restorer_parameters=restorer,
            **options,
        )

    @staticmethod
    def _validate(compiled, items):
        """(accuracy, the probabilities of each run: by them NNCF ranks what costs most)."""
        right, values = [], []
        for feeds, labels in items:
            probabilities = np.array(compiled(feeds)[OUTPUT])
            values.append([probabilities])
            right.append(probabilities[: len(labels)].argmax(axis=-1) == labels)
        return float(np.concatenate(right).mean()), values
