"""A sorter's result on a hybrid, held against the truth: what was found, missed, merged and split, and why."""
