"""Baton: the project and the platform every app stands on. Importing it imports nothing else."""
