"""The files of the stack, from wherever they are: in the wheel beside this, or in the clone."""
