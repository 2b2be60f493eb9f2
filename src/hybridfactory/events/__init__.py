"""What a unit's spikes look like: snippets, background, footprint, and the event model."""
