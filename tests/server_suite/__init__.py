"""One suite, two servers: the same raw requests to the embedded API server and to a real one, and the same answers."""
