"""The order of the steps, one file for each job: the only room that knows it."""
