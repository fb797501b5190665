"""The vendors' own packages as test clients, and a scripted server that proves their programs.

``programs`` has one program for each client: it changes nothing of the vendor's package but the
address, streams a WAV file, and prints what the package gave its user. Each runs in the
environment that ``requirements/clients`` locks for it. Tests use them by ``tests/support/vendors``.
"""
