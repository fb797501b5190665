"""Client audio of any kind to mono s16le at 16 kHz.

``decoder`` is what the rest of the gateway uses. It picks a source for each file or stream:
``raw`` and ``wav`` convert samples on the event loop, in short steps; ``coded`` has a compressed
stream decoded in a process of its own (``decoder_process``; ``processes`` starts them).

A decoder's process is forked by ``zygote`` and runs ``child``, within ``confinement``: it reads
the stream through ``inlet`` and decodes it with one of the ``pumps`` (``demux``, ``elementary``).
``extent`` finds where a file ends. What both sides say to each other is in ``steps``.

Nothing is imported here, so that the zygote has only what decoders need and the gateway no codec.
"""
