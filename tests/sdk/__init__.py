"""Tests of the set-up; `receiver` may be imported by others."""
