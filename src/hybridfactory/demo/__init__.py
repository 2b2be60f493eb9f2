"""A small simulated recording with its sorting, as SpikeGLX and phy write them, to try hybridfactory on."""

from hybridfactory.demo.make import make_demo

__all__ = ["make_demo"]
