"""Pictures of the docs, drawn from the data in `benchmarks/results` and from nothing else."""
