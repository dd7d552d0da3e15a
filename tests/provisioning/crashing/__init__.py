"""Kill real processes at chosen points, and see what is left of the farm.

`points` puts marks into the code of a process, `processes` forks workers and watchers that
carry them; nothing of it is in the product.
"""
