"""Which units of a sorting serve as donors: measured on a bounded sample of their spikes, judged, and ranked."""
