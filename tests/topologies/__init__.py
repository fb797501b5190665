"""Every way to run the broker, with real servers: TLS, passwords, Sentinel, Cluster, Redis."""
