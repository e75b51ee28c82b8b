"""The fast path of decorated calls: call -> site -> measure and encode -> export."""
