"""Planning of tests: what is asked, what is allowed, and the choices that answer it best."""
