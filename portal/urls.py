"""Where each surface begins."""

from django.urls import include, path

urlpatterns = [
    path("accounts/", include("allauth.account.urls")),
    path("api/v1/", include("portal.api.urls")),
    path("", include("portal.web.urls")),
]
