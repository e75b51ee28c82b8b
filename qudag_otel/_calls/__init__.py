"""The call, in the order of one: api -> decorate -> drivers -> site -> plain (or sdk.fast)."""
