"""Does a target answer like its source? Probes, tolerances, verdicts, accuracy, reproducibility."""
