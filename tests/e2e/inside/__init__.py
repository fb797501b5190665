"""The client that runs in a pod next to the release, so that no tunnel stands between the two.

It travels as one zip file together with the Python client and the chaos suite's sessions. It
needs what is in the gateway's image and nothing else.
"""
