"""PartiQL: what a statement is about (`statements`), and what it says (`bodies`)."""
