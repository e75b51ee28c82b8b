"""The panels, by what they describe; `boards` arranges them."""
