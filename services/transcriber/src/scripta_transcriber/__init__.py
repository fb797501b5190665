"""The transcriber: leases sessions, cuts speech into segments, commits finals."""
