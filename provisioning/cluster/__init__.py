"""The gateway to Kubernetes, and the only place that imports its client.

`client_for` gives the process's own client of a cluster; what can be asked is in
`asking` (pods, objects, nodes) and `watching` (the stream of changes).  Its twin is
the sandbox.
"""
