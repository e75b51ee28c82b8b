"""Every promise under faults as a row: the fault, what is promised, what was measured.

`python -m tests.faults` breaks things and writes what came of it into docs/guarantees.md, beside
what the same program does with OpenTelemetry's SDK as it sets itself up (`plain_sdk`).
`table` names the rows; each is a small function that returns one number.
"""
