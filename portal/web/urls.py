"""Every page, by the name its menu entry begins with."""

from django.urls import URLPattern, URLResolver, include, path

from portal.web.pages import (
    access,
    catalogue,
    dashboard,
    front,
    instances,
    invoices,
    launching,
    members,
    notices,
    operating,
    projects,
    quotas,
    registries,
    usage,
    volumes,
)
from portal.web.pages.staff import (
    approvals,
    billing,
    cluster,
    clusters,
    exporters,
    images,
    inventory,
    maintenance,
    prices,
    trouble,
)

app_name = "web"
Routes = list[URLPattern | URLResolver]

INSTANCES: Routes = [
    path("", instances.show_instances, name="instances"),
    path("new/", launching.ask_for_instances, name="instances-new"),
    path("new/estimate/", launching.estimate, name="instances-estimate"),
    path("<uuid:instance_id>/", instances.show_instance, name="instances-one"),
    path("<uuid:instance_id>/logs/", instances.show_logs, name="instances-logs"),
    path("<uuid:instance_id>/logs/follow/", access.follow_logs, name="instances-logs-follow"),
    path("<uuid:instance_id>/terminal/", access.show_terminal, name="instances-terminal"),
    path("<uuid:instance_id>/access/", access.show_access, name="instances-access"),
    path("<uuid:instance_id>/ports/", access.open_port, name="instances-ports-open"),
    path(
        "<uuid:instance_id>/ports/<int:port>/close/",
        access.close_port,
        name="instances-ports-close",
    ),
    path("<uuid:instance_id>/stop/", operating.stop, name="instances-stop"),
    path("<uuid:instance_id>/start/", operating.start, name="instances-start"),
    path("<uuid:instance_id>/terminate/", operating.terminate, name="instances-terminate"),
    path("<uuid:instance_id>/move/", operating.move, name="instances-move"),
    path("<uuid:instance_id>/lease/", operating.move_end, name="instances-lease"),
    path("requests/<uuid:instance_request_id>/", launching.show_request, name="instances-request"),
    path(
        "requests/<uuid:instance_request_id>/withdraw/",
        launching.withdraw,
        name="instances-withdraw",
    ),
]

TENANT: Routes = [
    path("", dashboard.show_dashboard, name="dashboard"),
    path("catalogue/", catalogue.show_catalogue, name="catalogue"),
    path("instances/", include(INSTANCES)),
    path("quota/", quotas.show_quota, name="quota"),
    path("quota/new/", quotas.ask_for_quota, name="quota-new"),
    path("quota/<uuid:quota_request_id>/withdraw/", quotas.withdraw, name="quota-withdraw"),
    path("usage/", usage.show_usage, name="usage"),
    path("invoices/", invoices.show_invoices, name="invoices"),
    path("invoices/<uuid:invoice_id>/", invoices.show_invoice, name="invoices-one"),
    path("invoices/<uuid:invoice_id>/<str:form>/", invoices.download, name="invoices-file"),
    path("projects/", projects.show_projects, name="projects"),
    path("volumes/", volumes.show_volumes, name="volumes"),
    path("volumes/<uuid:volume_id>/grow/", volumes.grow, name="volumes-grow"),
    path("volumes/<uuid:volume_id>/delete/", volumes.delete, name="volumes-delete"),
    path("registries/", registries.show_registries, name="registries"),
    path("registries/<int:login_id>/remove/", registries.remove, name="registries-remove"),
    path("members/", members.show_members, name="members"),
    path("members/<int:membership_id>/role/", members.change_role, name="members-role"),
    path("members/<int:membership_id>/remove/", members.remove, name="members-remove"),
]

QUOTA_APPROVALS: Routes = [
    path("", approvals.decide_quota_request, name="approvals-quota"),
    path("reject/", approvals.reject_quota_request, name="approvals-quota-reject"),
]

INSTANCE_APPROVALS: Routes = [
    path("", approvals.show_instance_request, name="approvals-instances"),
    path("approve/", approvals.approve_instance_request, name="approvals-instances-approve"),
    path("reject/", approvals.reject_instance_request, name="approvals-instances-reject"),
]

CLUSTER: Routes = [
    path("", cluster.show_cluster, name="clusters-one"),
    path("pause/", cluster.pause, name="clusters-pause"),
    path("resume/", cluster.resume, name="clusters-resume"),
    path("drain/", cluster.drain, name="clusters-drain"),
    path("remove/", cluster.remove, name="clusters-remove"),
    path("lose/", cluster.lose, name="clusters-lose"),
    path("probe/", cluster.probe, name="clusters-probe"),
    path("gateway/", cluster.set_gateway, name="clusters-gateway"),
    path("gateway/remove/", cluster.remove_gateway, name="clusters-gateway-remove"),
    path("examine/", cluster.examine, name="clusters-examine"),
    path("exporters/", exporters.show_exporters, name="clusters-exporters"),
    path("exporters/<int:pool_id>/forget/", exporters.forget, name="clusters-exporters-forget"),
    path("instances/<uuid:instance_id>/move/", cluster.move, name="clusters-move"),
    path("instances/<uuid:instance_id>/stop/", cluster.stop, name="clusters-stop"),
]

INVENTORY: Routes = [
    path("", inventory.show_inventory, name="inventory"),
    path("nodes/<int:node_id>/", inventory.show_node, name="inventory-node"),
    path("nodes/<int:node_id>/stop/", inventory.stop_node, name="inventory-node-stop"),
    path("nodes/<int:node_id>/resume/", inventory.resume_node, name="inventory-node-resume"),
    path("devices/<int:device_id>/stop/", inventory.stop_device, name="inventory-device-stop"),
    path(
        "devices/<int:device_id>/resume/", inventory.resume_device, name="inventory-device-resume"
    ),
]

STAFF: Routes = [
    path("approvals/", approvals.show_queue, name="approvals"),
    path("approvals/instances/<uuid:instance_request_id>/", include(INSTANCE_APPROVALS)),
    path("approvals/<uuid:quota_request_id>/", include(QUOTA_APPROVALS)),
    path("clusters/", clusters.show_clusters, name="clusters"),
    path("clusters/<slug:name>/", include(CLUSTER)),
    path("trouble/", trouble.show_trouble, name="trouble"),
    path("trouble/letters/<int:letter_id>/retry/", trouble.retry, name="trouble-retry"),
    path("trouble/letters/<int:letter_id>/close/", trouble.close, name="trouble-close"),
    path("trouble/alarms/<int:alarm_id>/close/", trouble.close_alarm, name="trouble-alarm"),
    path("trouble/alarms/<int:alarm_id>/release/", trouble.release, name="trouble-release"),
    path("inventory/", include(INVENTORY)),
    path("images/", images.show_images, name="images"),
    path("images/<int:image_id>/withdraw/", images.withdraw, name="images-withdraw"),
    path("maintenance/", maintenance.show_windows, name="maintenance"),
    path("maintenance/preview/", maintenance.preview, name="maintenance-preview"),
    path("maintenance/<int:window_id>/cancel/", maintenance.cancel, name="maintenance-cancel"),
    path("billing/", billing.show_accounts, name="billing"),
    path("billing/<int:account_id>/", billing.show_account, name="billing-account"),
    path("billing/<int:account_id>/cut/", billing.cut, name="billing-cut"),
    path(
        "billing/<int:account_id>/periods/<int:period_id>/draft/",
        billing.draft,
        name="billing-draft",
    ),
    path(
        "billing/<int:account_id>/periods/<int:period_id>/close/",
        billing.close,
        name="billing-close",
    ),
    path("billing/invoices/<uuid:invoice_id>/issue/", billing.issue, name="billing-issue"),
    path("prices/", prices.show_prices, name="prices"),
    path("prices/<int:rate_id>/follow/", prices.follow, name="prices-follow"),
]

urlpatterns = [
    path("", front.landing, name="landing"),
    path("start/", front.start, name="start"),
    path("preferences/", front.preferences, name="preferences"),
    path("access/<uuid:instance_id>/<int:port>/", access.enter_port, name="access-port"),
    path("notices/", notices.show_notices, name="notices"),
    path("notices/bell/", notices.show_bell, name="notices-bell"),
    path("notices/read/", notices.read_all, name="notices-read-all"),
    path("notices/<int:notice_id>/read/", notices.read_one, name="notices-read"),
    path("t/<slug:slug>/", include(TENANT)),
    path("staff/", include(STAFF)),
]
