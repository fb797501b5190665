"""Quotas: what tenants and keys may use, counted across all gateways."""
