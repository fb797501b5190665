"""Load on a Scripta gateway: users that stream a recording as live speakers do."""
