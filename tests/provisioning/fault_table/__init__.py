"""The fault table, row by row: what goes wrong, and what the product does about it.

One test per row of `docs/faults.md`, in its order.  An API server that can be told what to
answer stands in for the cluster; what a kubelet does is told as the watcher would tell it.
"""
