"""What the daemon says of itself over HTTP: is it well, and how is it going."""
