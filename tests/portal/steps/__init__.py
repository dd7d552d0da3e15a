"""The stranger walk's map: every operation of the API as a `Step`."""

from tests.portal.steps.clusters import CLUSTERS, INVENTORY, TROUBLE
from tests.portal.steps.instances import INSTANCES, VOLUMES
from tests.portal.steps.money import MONEY
from tests.portal.steps.people import PEOPLE
from tests.portal.steps.requests import CATALOGUE, REQUESTS

STEPS = [
    *PEOPLE,
    *CATALOGUE,
    *REQUESTS,
    *INSTANCES,
    *VOLUMES,
    *MONEY,
    *TROUBLE,
    *CLUSTERS,
    *INVENTORY,
]
