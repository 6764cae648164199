"""The server: the seed's two routes, an API of its own and the page. It searches what is indexed; it fetches nothing and describes nothing."""
