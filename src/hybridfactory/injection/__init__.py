"""From plan to bytes: the pure renderer, the writer of files, and the hybrid that is rendered as it is read."""
