"""The licences of everything that the project depends on or builds: docs/licences.md.

`python -m tests.licences --check` compares the table with the lock files and with what is
installed, without a network; without the option it asks the tools again and writes the table.
"""
