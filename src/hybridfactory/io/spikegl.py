"""The name under which 2018 parameter files import `get_start_times`."""

from hybridfactory.recording.spikeglx import get_start_times

__all__ = ["get_start_times"]
