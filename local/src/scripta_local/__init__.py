"""All of Scripta on one machine: broker, gateway and transcribers as child processes."""
