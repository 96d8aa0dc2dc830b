"""A web page on which users try the models on their photos."""
