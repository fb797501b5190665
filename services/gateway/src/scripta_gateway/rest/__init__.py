"""HTTP requests that are no calls: answered at once, to callers who are known."""
