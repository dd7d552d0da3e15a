"""The fixed words of the API: as programs read them, in no language.

The OpenAPI document names each set once (`ENUM_NAME_OVERRIDES` in the settings).
"""

from typing import Final

from billing.closing import Blocker
from billing.models import Invoice, InvoiceFile
from portal.quotas.models import QuotaEntry
from portal.requests.models import State as RequestState
from portal.tenants import access
from provisioning.models import (
    AllocationMode,
    ClusterState,
    Health,
    MaintenancePolicy,
    Question,
    Verdict,
)
from provisioning.states import AttemptState, Desired, Identity, SecretKind, State, VolumeState

ROLES: Final = [role.value for role in access.Role]
PROJECT_ROLES: Final = [role.value for role in access.PROJECT_ROLES]
STAFF_ROLES: Final = [role.value for role in access.StaffRole]
LANGUAGES: Final = [language.value for language in InvoiceFile.Language]
ENTRY_KINDS: Final = [kind.value for kind in QuotaEntry.Kind]
REQUEST_STATES: Final = [state.value for state in RequestState]
DESIRED: Final = [desired.value for desired in Desired]
INSTANCE_STATES: Final = [state.value for state in State]
ATTEMPT_STATES: Final = [state.value for state in AttemptState]
CLUSTER_STATES: Final = [state.value for state in ClusterState]
CLUSTER_QUESTIONS: Final = [question.value for question in Question]
CLUSTER_VERDICTS: Final = [verdict.value for verdict in Verdict]
IDENTITIES: Final = [identity.value for identity in Identity]
VOLUME_STATES: Final = [state.value for state in VolumeState]
SECRET_KINDS: Final = [kind.value for kind in SecretKind]
HEALTHS: Final = [health.value for health in Health]
ALLOCATION_MODES: Final = [mode.value for mode in AllocationMode]
MAINTENANCE_POLICIES: Final = [policy.value for policy in MaintenancePolicy]
INVOICE_STATES: Final = [state.value for state in Invoice.State]
BLOCKERS: Final = [blocker.value for blocker in Blocker]
