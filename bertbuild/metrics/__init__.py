"""The figures that GLUE and SQuAD are judged by, with NumPy alone; nothing of stages, stores or checkpoints."""
