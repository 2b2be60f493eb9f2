"""What the user asks for: one frozen, typed class; Python and TOML files in, hfparams out."""

from hybridfactory.parameters.hfparams import write_hfparams
from hybridfactory.parameters.load import load_parameters
from hybridfactory.parameters.parameters import Parameters, parameter_names

__all__ = ["Parameters", "load_parameters", "parameter_names", "write_hfparams"]
