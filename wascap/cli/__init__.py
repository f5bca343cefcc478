"""The commands of this package: `wascc keys`, `wascc claims` and `wascc par`."""
