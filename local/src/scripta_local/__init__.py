"""The whole of Scripta on one machine: broker, gateway and transcribers as child processes.

``python -m scripta_local`` runs it for a person, ``Stack`` for tests and benches. Nothing here
is part of a deployment.
"""
