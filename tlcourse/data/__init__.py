"""Data for the lessons: functions that return tensors, and say what these are made of."""
