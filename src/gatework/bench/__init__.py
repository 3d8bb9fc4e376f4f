"""How fast the layers are: measured beside their peers in one run, with the limit that physics sets."""
