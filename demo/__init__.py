"""The main job, done by an HTTP client in front of the reader.

Three people sign in as in a browser: Alice of a tenant, Bob who approves, Dana of
finance.  Nothing here imports the product.
"""
