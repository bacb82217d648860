"""Guards AWS calls from inside the process that makes them."""
