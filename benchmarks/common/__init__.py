"""Parts that several benchmarks share; only the programs in the folder above are run."""
