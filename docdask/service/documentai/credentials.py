"""Who calls: Application Default Credentials, looked up once a process.

Rules: a service account signs its own tokens, as Google's clients have it, so no token server is needed; all others get
their first token here, so that a bad one is told before a call is made; a person's calls are counted for the project that is
called, unless the sign-in names another. An emulator needs none.
"""

from __future__ import annotations

from typing import Any

from docdask.service.errors import classify

SCOPE = "https://www.googleapis.com/auth/cloud-platform"


def load(project: str = "") -> Any:
    """Credentials of ``google.auth``, ready to use. Blocks, up to some ten seconds where nobody is signed in.

    Parameters
    ----------
    project
        For which a person's calls are counted, where the sign-in says nothing of it: without one Google refuses them.

    Raises
    ------
    CredentialsError
        One sentence with its remedy: no credentials, a wrong or missing key file, expired, refused.
    ServiceError
        If the network is to blame.
    """
    import google.auth
    from google.auth.exceptions import GoogleAuthError
    from google.oauth2 import credentials as person
    from google.oauth2 import service_account

    try:
        credentials, _ = google.auth.default(scopes=[SCOPE])
        if isinstance(credentials, service_account.Credentials):
            return credentials.with_always_use_jwt_access(True)
        if project and isinstance(credentials, person.Credentials) and not credentials.quota_project_id:
            credentials = credentials.with_quota_project(project)
        if not credentials.valid:
            credentials.refresh(_request())
    except (GoogleAuthError, ValueError, OSError, AttributeError, TypeError, KeyError) as error:
        # A key file that is JSON and no key breaks the library in the middle.
        raise classify(error, source="credentials") from error
    return credentials


def _request() -> Any:
    from google.auth.transport.requests import Request

    return Request()
