"""The chaos suite: faults injected into a running system, and what they cost its clients."""
