"""Levels: each room lays out one kind of world and says what spawns where; nothing else."""
