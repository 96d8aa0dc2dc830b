"""Image grids, curves and activation maps."""
