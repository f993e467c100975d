"""The exercises: one module per lesson (`e02_fine_tuning`), each with a dict `EXERCISES` of name to `Exercise`."""
