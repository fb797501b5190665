"""Sessions: audio into the log, results out of it, whatever happens in between."""
