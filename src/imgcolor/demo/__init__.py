"""A page in the browser to try the models that come with the package on one's own photos."""
