"""Speed beside what a user would otherwise run, in one process on the same data."""
