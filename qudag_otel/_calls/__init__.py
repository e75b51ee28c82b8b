"""The decorator, in the order of a call: api -> decorate -> drivers -> site -> call."""
