"""What an alert's runbook says, done: the stores are asked, and the causes weighed."""
