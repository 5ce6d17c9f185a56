"""The folder that a guarded process has first on its PYTHONPATH; never imported as a package."""
