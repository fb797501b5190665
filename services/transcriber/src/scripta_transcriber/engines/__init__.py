"""Engines: the models a transcriber can run, one module each."""
