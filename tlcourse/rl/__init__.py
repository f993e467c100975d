"""Learners from rewards that the techniques build on. They know robots only through Gymnasium's vector API."""
