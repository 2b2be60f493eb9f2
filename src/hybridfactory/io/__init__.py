"""The place where 2018 parameter files look for `get_start_times`."""
