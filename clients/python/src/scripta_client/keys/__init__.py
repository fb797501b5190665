"""Making keys for a gateway that asks for them."""
