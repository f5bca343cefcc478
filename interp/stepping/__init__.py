"""Watching a computation from the command line: `wascc step`, its output and its prompt."""
