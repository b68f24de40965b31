"""Text as google-research/bert reads it, of the standard library and NumPy alone.

| module           | what it holds                                                                   |
| ---------------- | ------------------------------------------------------------------------------- |
| `basic_words`    | a text → its words (BasicTokenizer)                                             |
| `wordpiece`      | words → pieces and their numbers (FullTokenizer), sequences of one or two texts |
| `paragraphs`     | a paragraph's words, pieces and windows, as run_squad has them                  |
| `answer_spans`   | start and end logits → the text of an answer, as run_squad has it               |
| `facts`          | what travels with a model that answers text                                     |
| `tokenizer_json` | the same tokenizer as a file of the package tokenizers                          |

`basic_words` and `answer_spans` are Python 3.7: the tests run them beside TensorFlow 1.
"""
