"""The truth on disk: tables, the manifest, and a finished run opened again."""
