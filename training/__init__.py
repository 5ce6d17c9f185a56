"""Pairs become a student: dataset versions, recipes, the Axolotl run, export for serving."""
