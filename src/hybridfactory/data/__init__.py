"""The place where programs of 2018 look for `HybridDataSet`."""
