"""The transcriber: leases sessions, cuts speech into segments, commits finals."""

import os

# onnxruntime tells its maker about each session on a model, over the network, and heeds nothing
# but this, set before it is loaded.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

# numpy's products are summed in another order by several threads than by one, and a final is to be
# the same on whatever number of cores. Heeded only if it is set before numpy is loaded.
os.environ["OPENBLAS_NUM_THREADS"] = "1"
