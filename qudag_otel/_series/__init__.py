"""The value: metrics bound to labels, from the application's hands to the SDK's storage."""
