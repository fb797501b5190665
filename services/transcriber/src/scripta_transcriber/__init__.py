"""The transcriber: leases sessions, cuts speech into segments, commits finals."""

import os

# onnxruntime tells its maker about each session on a model, over the network, and heeds nothing
# but this, set before it is loaded.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
