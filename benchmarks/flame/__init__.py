"""A flame graph of a guarded call: sampled, folded, kept as data, drawn as SVG."""
