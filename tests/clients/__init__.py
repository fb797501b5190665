"""The programs that run vendors' packages, and a scripted server that proves them."""
