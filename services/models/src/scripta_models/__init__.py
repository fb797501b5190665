"""The catalogue of models, and what fetches a model and checks each of its files."""
