"""Scheduled jobs. Each returns one line that says what it did, which is kept with the time of the run."""
