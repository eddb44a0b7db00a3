"""Signing in and out."""

from __future__ import annotations

from django import forms
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView, LogoutView
from django.db import transaction
from django.http import HttpResponse

from orchestration import audit
from orchestration.access import Actor
from orchestration.models import User, Workspace


class SignInForm(AuthenticationForm):
    """User name and password. Service accounts have tokens only."""

    def confirm_login_allowed(self, user: User) -> None:
        super().confirm_login_allowed(user)
        if user.is_service:
            raise forms.ValidationError("This is a service account: it uses API tokens and never signs in.")


class SignIn(LoginView):
    """The sign-in page."""

    template_name = "orchestration/sign_in.html"
    redirect_authenticated_user = True
    authentication_form = SignInForm

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        user = form.get_user()
        assert isinstance(user, User)
        with transaction.atomic():
            answer = super().form_valid(form)
            for workspace in Workspace.objects.filter(memberships__user=user).distinct():
                audit.record(Actor(user=user, workspace=workspace), "person.signed_in", user, workspace=workspace)
        return answer


sign_in = SignIn.as_view()
sign_out = LogoutView.as_view()
