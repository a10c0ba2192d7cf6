"""Who gets an association, and who must go for it."""

from typing import NamedTuple

from devices.dicom.services import negotiation
from devices.dicom.services.events import Cause
from devices.dicom.services.provider import Provider
from devices.dicom.services.sharing import one_to_dismiss
from devices.dicom.settings import Sender
from devices.dicom.upper_layer.associate import AssociateReject, AssociateRequest


class Rejection(NamedTuple):
    """Why an association is not accepted: for the console, for the figures, and in words."""

    answer: AssociateReject
    cause: Cause
    reason: str


def admit(provider: Provider, request: AssociateRequest, sender: Sender | None, address: str) -> Rejection | None:
    """Let in who is on the list, from where he may come, while there is room or room can be made."""
    calling_ae, node_ae = request.calling_ae, provider.settings.ae_title
    if sender is None:
        sentence = f"calling AE title {calling_ae!r} is not in allowed_ae_titles"
        return Rejection(negotiation.CALLING_AE_UNKNOWN, Cause.CALLING_AE, sentence)
    if not sender.may_come_from(address):
        sentence = f"{address} is in none of the networks of {calling_ae!r}"
        return Rejection(negotiation.CALLING_AE_UNKNOWN, Cause.NETWORK, sentence)
    if not sender.may_call(request.called_ae, node_ae):
        sentence = f"called AE title {request.called_ae!r} is not {node_ae!r}"
        return Rejection(negotiation.CALLED_AE_UNKNOWN, Cause.CALLED_AE, sentence)
    if not sender.may_query and negotiation.is_to_query(request):
        sentence = f"{calling_ae!r} may not query: its sender wants may_query"
        return Rejection(negotiation.CALLING_AE_UNKNOWN, Cause.QUERY, sentence)
    if sentence := _crowded(provider, sender):
        return Rejection(negotiation.LOCAL_LIMIT_EXCEEDED, Cause.LIMIT, sentence)
    return None


def _crowded(provider: Provider, sender: Sender) -> str:
    """Say which limit leaves no room for one more association; empty where there is room, or is made."""
    others = [other for other in provider.sessions if not other.is_leaving]
    own = [other for other in others if other.calling_ae == sender.ae_title]
    if len(own) >= sender.maximum_associations:
        candidates, sentence = own, f"{len(own)} associations of {sender.ae_title!r} are open already"
    elif len(others) >= provider.settings.maximum_associations:
        candidates, sentence = others, f"{len(others)} associations are open already"
    else:
        return ""
    dismissed = one_to_dismiss(candidates, sender.ae_title)
    if dismissed is None:
        return sentence
    least = f"{provider.settings.minimum_bytes_per_s:g} bytes/s (minimum_bytes_per_s)"
    dismissed.dismiss(f"{sender.ae_title!r} needed its place, and it brought less than {least}")
    return ""
