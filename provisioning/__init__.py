"""A decided wish becomes a pod and stays true.

Desired state goes in through `launching` and `stopping`; `reconciling` brings each
instance one step nearer to it, `observing` writes what the cluster says, and
`usage` hands the seconds that ran down to billing.
"""
