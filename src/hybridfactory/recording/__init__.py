"""Raw traces in: flat binary files and what SpikeGLX says of them."""
