"""A built target as a folder that is complete in itself: for a server, or for a program.

| module                  | what it holds                                                            |
| ----------------------- | ------------------------------------------------------------------------ |
| `packed`                | what a package is made of                                                |
| `layouts`               | the table of layouts: which kinds each takes, and what is in it          |
| `openvino_model_server` | config.json and model/1/                                                 |
| `tensorflow_serving`    | model/1/ with requests to warm up with                                   |
| `triton`                | a model repository with config.pbtxt                                     |
| `plain`                 | the model, its tokenizer, and predict.py                                 |
| `licences`              | under what weights, data and packages are, and whether that may be given |
| `lineage`               | the models, data sets and trainings that a target comes from             |
| `card`                  | README.md: a model card                                                  |
| `origin`                | the in-toto statement on a package's files                               |
| `writing`               | the folder and the archive, the same bytes each time                     |
"""
