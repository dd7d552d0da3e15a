"""Where each surface begins."""

from django.urls import include, path

from portal import health

urlpatterns = [
    path("healthz/live", health.live, name="health-live"),
    path("healthz/ready", health.ready, name="health-ready"),
    path("accounts/", include("allauth.account.urls")),
    path("api/v1/", include("portal.api.urls")),
    path("", include("portal.web.urls")),
]
