"""A run as one HTML page: its log read (log, run), waits and places worked out (schedule, layers), drawn, assembled."""
