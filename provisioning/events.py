"""What provisioning tells to those above it.

`instance_state_changed` is sent after commit with `instance_id`, `from_state`,
`to_state` and `at`.  A receiver only defers a task: the notice may be lost with the
process that sends it, so whoever listens also sweeps.
"""

from django.dispatch import Signal

instance_state_changed = Signal()
