"""The feed's messages: who looks and who acts."""

from typing import Annotated, Literal

from msgspec import Meta, Struct


class SignIn(Struct, frozen=True, kw_only=True, tag="sign_in", forbid_unknown_fields=True):
    """The first message of a connection: the token of the display, or of the person who signed in at it."""

    token: Annotated[str, Meta(max_length=200)]


class SignInRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of ``POST /v1/sign-in``: a person's name and secret, or a display's token and no name."""

    name: Annotated[str, Meta(max_length=100, description="Empty for a display.")]
    secret: Annotated[str, Meta(max_length=200)]


class Signed(Struct, frozen=True, kw_only=True):
    """Answer to it: the token to send from now on, in the first message and as ``Authorization: Bearer``."""

    token: str
    name: str
    role: Literal["view", "act", "engineer"]
