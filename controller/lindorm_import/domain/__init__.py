"""What the parts tell each other: what was seen of the world, what is to be done to it, and how things are named."""
