"""Simulated robots with the vector API of Gymnasium: physics that can be set for each instance, and what a real robot
adds to it, latency and noise.
"""
