"""Break a whole farm at random for some minutes, then see what it says against what ran.

`running` starts a farm of three simulated clusters; `churning` clicks like tenants,
`breaking` kills and cuts.  With the faults off and the farm settled, `truth` reads what
the sandbox wrote down of every container, `ledger` what the product says, and `verdicts`
counts where they differ.
"""

from benchmarks.chaos.running import chaos

BENCHES = {"chaos_unexplained": chaos}
