"""What tenants have used, for themselves and for whoever runs the gateway."""
