"""A run as one HTML page: the log read (log, run), waits and layouts worked out (schedule, layers), drawn, put together."""
