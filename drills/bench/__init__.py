"""What may cost time and memory, measured: ``make bench``. Tests are never timed; speed lives here."""
