"""BERT's forward pass in float64 numpy, written from the papers (arXiv:1810.04805, 1706.03762, 1606.08415) alone."""

from __future__ import annotations

import math

import numpy as np

ERF = np.frompyfunc(math.erf, 1, 1)


def gelu_erf(x):
    return x * 0.5 * (1.0 + ERF(x / math.sqrt(2.0)).astype(np.float64))


def gelu_tanh(x):
    return 0.5 * x * (1.0 + np.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * x**3)))


def relu(x):
    return np.maximum(x, 0.0)


ACTIVATIONS = {"erf": gelu_erf, "tanh": gelu_tanh, "relu": relu}


def softmax(x):
    powers = np.exp(x - x.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


PROBABILITIES = {"classifier": softmax, "tokens": softmax, "multi-label": sigmoid}


class NumpyBert:
    """A BERT over a dict of variables under Google's names; computes with float64 throughout."""

    def __init__(self, tensors, *, heads, activation, epsilon=1e-12):
        self.tensors = {name: np.asarray(value, np.float64) for name, value in tensors.items()}
        self.heads = heads
        self.epsilon = epsilon
        self.activation = ACTIVATIONS[activation]
        self.depth = sum(name.endswith("intermediate/dense/kernel") for name in tensors)

    def dense(self, x, scope):
        return x @ self.tensors[f"{scope}/kernel"] + self.tensors[f"{scope}/bias"]

    def norm(self, x, scope):
        centred = x - x.mean(axis=-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + self.epsilon)
        return scaled * self.tensors[f"{scope}/LayerNorm/gamma"] + self.tensors[f"{scope}/LayerNorm/beta"]

    def attend(self, x, mask, scope):
        batch, length, width = x.shape
        query, key, value = (
            self.dense(x, f"{scope}/self/{name}").reshape(batch, length, self.heads, -1).transpose(0, 2, 1, 3)
            for name in ("query", "key", "value")
        )
        scores = query @ key.transpose(0, 1, 3, 2) / math.sqrt(width // self.heads)
        scores += (1.0 - mask[:, None, None, :]) * -10000.0
        context = (softmax(scores) @ value).transpose(0, 2, 1, 3).reshape(batch, length, width)
        return self.norm(x + self.dense(context, f"{scope}/output/dense"), f"{scope}/output")

    def layers(self, input_ids, input_mask, segment_ids):
        """Every layer's output [B, S, H], the last of them the sequence output."""
        table = "bert/embeddings/{}_embeddings"
        x = self.tensors[table.format("word")][input_ids] + self.tensors[table.format("token_type")][segment_ids]
        x = self.norm(x + self.tensors[table.format("position")][: input_ids.shape[1]], "bert/embeddings")
        found = []
        for index in range(self.depth):
            scope = f"bert/encoder/layer_{index}"
            attended = self.attend(x, input_mask.astype(np.float64), f"{scope}/attention")
            grown = self.activation(self.dense(attended, f"{scope}/intermediate/dense"))
            x = self.norm(attended + self.dense(grown, f"{scope}/output/dense"), f"{scope}/output")
            found.append(x)
        return found

    def of_head(self, kind, pooled, sequence):
        """What a head answers, by the definition of each kind; `pooled` is None where there is no pooler."""
        scope = {"span": "cls/squad/", "next-sentence": "cls/seq_relationship/"}.get(kind, "")
        if kind == "masked-lm":
            hidden = self.activation(self.dense(sequence, "cls/predictions/transform/dense"))
            hidden = self.norm(hidden, "cls/predictions/transform")
            tied, bias = self.tensors["bert/embeddings/word_embeddings"], self.tensors["cls/predictions/output_bias"]
            table = self.tensors.get("cls/predictions/output_weights", tied)
            return {"masked_lm_logits": hidden @ table.T + bias}
        read = sequence if kind in ("tokens", "span") else pooled
        logits = read @ self.tensors[f"{scope}output_weights"].T + self.tensors[f"{scope}output_bias"]
        if kind == "span":
            return {"start_logits": logits[..., 0], "end_logits": logits[..., 1]}
        if kind == "next-sentence":
            return {"next_sentence_logits": logits}
        if kind == "regression":
            return {"score": logits[..., 0]}
        return {"logits": logits, "probabilities": sigmoid(logits) if kind == "multi-label" else softmax(logits)}

    def answer(self, probe, kinds=None):
        """All outputs, under the names artifacts give them; `kinds` of heads, where it is not a classifier alone."""
        layers = self.layers(**probe)
        pooled = np.tanh(self.dense(layers[-1][:, 0], "bert/pooler/dense"))
        found = {"pooled_output": pooled, "sequence_output": layers[-1]}
        found |= {f"layer_{index}_output": layer for index, layer in enumerate(layers)}
        if kinds is None:
            kinds = ("classifier",) if "output_weights" in self.tensors else ()
        for kind in kinds:
            found |= self.of_head(kind, pooled, layers[-1])
        return found

    def answer_of_heads(self, probe, kind="classifier"):
        """What the heads answer, under the names artifacts give them; `kind` is what output_weights are of."""
        states = self.layers(**probe)[-1]
        pooled = np.tanh(self.dense(states[:, 0], "bert/pooler/dense"))
        found = {}
        if "output_weights" in self.tensors:
            logits = self.last_layer(states if kind == "tokens" else pooled, "")
            found |= {"score": logits[:, 0]} if kind == "regression" else {"logits": logits}
            if kind in PROBABILITIES:
                found["probabilities"] = PROBABILITIES[kind](logits)
        if "cls/squad/output_weights" in self.tensors:
            columns = self.last_layer(states, "cls/squad/")
            found |= {"start_logits": columns[..., 0], "end_logits": columns[..., 1]}
        if "cls/predictions/output_bias" in self.tensors:
            made = self.activation(self.dense(states, "cls/predictions/transform/dense"))
            tied = self.tensors["bert/embeddings/word_embeddings"]
            table = self.tensors.get("cls/predictions/output_weights", tied)
            made = self.norm(made, "cls/predictions/transform") @ table.T
            found["masked_lm_logits"] = made + self.tensors["cls/predictions/output_bias"]
        if "cls/seq_relationship/output_weights" in self.tensors:
            found["next_sentence_logits"] = self.last_layer(pooled, "cls/seq_relationship/")
        return found

    def last_layer(self, x, scope):
        return x @ self.tensors[f"{scope}output_weights"].T + self.tensors[f"{scope}output_bias"]
