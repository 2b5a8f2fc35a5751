"""The Measurement Set: layout, direct tile input and output, checks."""
