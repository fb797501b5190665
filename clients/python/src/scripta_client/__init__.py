"""The Scripta client: streams audio to a gateway and yields words."""
