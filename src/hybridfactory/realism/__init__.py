"""Can a classifier tell injected events from real ones? The measure of how lifelike a hybrid is."""
