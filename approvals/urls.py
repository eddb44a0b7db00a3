"""Addresses of approvals, under /w/<workspace>/."""

from django.urls import path

from approvals import views

urlpatterns = [
    path("approvals/", views.inbox, name="approvals"),
    path("approvals/<uuid:approval>/", views.approval, name="approval"),
    path("approvals/<uuid:approval>/decision/", views.decision, name="approval-decision"),
]
