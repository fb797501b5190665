"""The command ``scripta top``: a live view of gateways, transcribers and the broker.

Samples come from a source (``scrape``, ``prometheus``), are kept for a while (``window``), read
as one system (``reading``) and judged (``verdict``); ``screen`` draws that. Only the sources and
``command`` do input and output. The library part of the client uses nothing of it.
"""
