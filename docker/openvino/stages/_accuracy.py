"""What an IR is worth on labelled examples, and quantization that keeps it within a bound."""

import dataclasses

import numpy as np
from stage import StageInputError

from bertbuild.heads.padding import ASKED_WITH_PADDING
from stages._judges import JUDGES

ROUNDING = 1e-9  # of a difference of two shares: 1 - 0.99 is more than 0.01
LENGTHS = 32  # sequences are padded to multiples of it: for each length that is new, OpenVINO makes kernels again


class Accuracy:
    """The metric of a model's head, on examples."""

    def __init__(self, head, model, examples, shape):
        """Refuse a model without that head, and labels it has no class for.

        Args:
            head: the kind of head: a name of `JUDGES`.
            model: the openvino.Model to be quantized.
            examples: `_calibration.Examples` with labels.
            shape: batch size and sequence length, each None where free.
        """
        self._head = head
        self._judge = JUDGES[head](examples)
        for name in self._judge.outputs:
            outputs = [port for port in model.outputs if name in port.get_names()]
            if not outputs:
                raise StageInputError("the model gives no %s, so it has no %s to bound" % (name, self.metric))
            classes = outputs[0].get_partial_shape()[-1]
            if self._judge.least and classes.is_static and self._judge.least > classes.get_length():
                raise StageInputError(
                    "%s has the label %d, and the model knows %d classes"
                    % (examples.path, self._judge.least - 1, classes.get_length())
                )
        self.examples = examples
        self._shape = shape

    @property
    def metric(self):
        """Its name."""
        return self._judge.metric

    def of(self, model):
        """The metric of an openvino.Model, computed in float32 where it is not int8."""
        import openvino

        compiled = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        answers = self._joined(self._answers(compiled, self.items()))
        return self._judge.figure(answers, np.arange(len(self.examples)))

    def items(self):
        """(feeds, numbers of the examples) of each run."""
        size = self._shape[0] or 1
        numbers = np.arange(len(self.examples))
        rows = (numbers[start : start + size] for start in range(0, len(numbers), size))
        multiple = self.examples.width if self._head in ASKED_WITH_PADDING else LENGTHS
        return list(zip(self.examples.feeds(*self._shape, multiple=multiple), rows))

    def validate(self, compiled, items):
        """What NNCF asks of some items: the metric, and a figure for each that is the higher the better.

        Given the answers themselves, NNCF 2.14 puts back first what helps least: it sorts by what error is left, and
        takes the largest. Where some examples have no metric, the mean of the figures takes its place.
        """
        items = list(items)
        answers = self._answers(compiled, items)
        figures = [self._judge.each(found, rows) for found, (_, rows) in zip(answers, items)]
        numbers = np.concatenate([rows for _, rows in items])
        if self._judge.of_parts or len(numbers) == len(self.examples):
            return self._judge.figure(self._joined(answers), numbers), figures
        return float(np.mean(figures)), figures

    def _answers(self, compiled, items):
        """The answers to each item, as wide as the examples."""
        return [
            {name: self._padded(np.array(results[name])[: len(rows)]) for name in self._judge.outputs}
            for results, rows in ((compiled(feeds), rows) for feeds, rows in items)
        ]

    def _padded(self, values):
        """Answers to each position, with what was cut off with the padding put back."""
        if self._judge.per_position:
            missing = self.examples.width - values.shape[1]
            values = np.pad(values, [(0, 0), (0, max(0, missing)), *[(0, 0)] * (values.ndim - 2)])
            values = values[:, : self.examples.width]
        return values

    def _joined(self, answers):
        return {name: np.concatenate([found[name] for found in answers]) for name in self._judge.outputs}

    def quantize(self, model, dataset, max_drop, advanced, **options):
        """Quantize, and put operators back into float32 until the metric falls by no more than `max_drop`.

        `advanced` is an nncf.AdvancedQuantizationParameters.
        """
        import nncf

        before = self.of(model)
        quantized = nncf.quantize(model, dataset, advanced_parameters=advanced, **options)
        if before - self.of(quantized) <= max_drop + ROUNDING:
            return quantized
        # Once more without SmoothQuant. It moves scales from activations into weights, and NNCF 2.14 puts back the
        # weights of before and leaves the activations scaled: every operator put back would make the answers worse.
        smooth = nncf.AdvancedSmoothQuantParameters(convolution=-1, matmul=-1)
        # One worker: NNCF would choose how many by how long things took, and what it puts back must not depend on that.
        restorer = nncf.AdvancedAccuracyRestorerParameters(num_ranking_workers=1)
        return nncf.quantize_with_accuracy_control(
            model,
            dataset,
            nncf.Dataset(self.items()),
            validation_fn=self.validate,
            # One example in reserve: weights are packed afterwards, and other kernels may round one to another class.
            max_drop=max(0, max_drop - 1 / len(self.examples)) + ROUNDING,
            advanced_quantization_parameters=dataclasses.replace(advanced, smooth_quant_alphas=smooth),
            advanced_accuracy_restorer_parameters=restorer,
            **options,
        )
