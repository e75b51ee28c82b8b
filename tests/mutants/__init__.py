"""Mutation testing: one line of a room is changed, and the room's tests must notice."""
