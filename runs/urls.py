"""Addresses of workflows and runs, under /w/<workspace>/."""

from django.urls import path

from runs.views import runs, workflows

urlpatterns = [
    path("", runs.home, name="home"),
    path("workflows/", workflows.workflows, name="workflows"),
    path("workflows/<slug:workflow>/", workflows.workflow, name="workflow"),
    path("workflows/<slug:workflow>/runs/new/", workflows.start_run, name="start-run"),
    path("runs/", runs.runs, name="runs"),
    path("runs/<uuid:run>/", runs.run, name="run"),
    path("runs/<uuid:run>/json/", runs.run_json, name="run-json"),
    path("runs/<uuid:run>/cancellation/", runs.cancel_run, name="cancel-run"),
]
