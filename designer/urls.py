"""Addresses of the control plane, under /w/<workspace>/."""

from django.urls import path

from designer import views

urlpatterns = [
    path("push/", views.push_page, name="push-workflow"),
    path("workflows/<slug:workflow>/versions/", views.versions_page, name="versions"),
    path("workflows/<slug:workflow>/versions/<int:number>/", views.version_page, name="version"),
    path("workflows/<slug:workflow>/versions/<int:number>/source/", views.version_source, name="version-source"),
    path("workflows/<slug:workflow>/live/", views.make_live, name="make-live"),
    path("workflows/<slug:workflow>/enabled/", views.enable_workflow, name="enable-workflow"),
    path("tools/", views.tools_page, name="tools"),
    path("tools/<str:tool>/enabled/", views.enable_tool, name="enable-tool"),
    path("models/", views.models_page, name="models"),
]
