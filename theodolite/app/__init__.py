"""The local web app and the REST API: pages and resources over `Study`, bound to this machine."""
