"""What the node accepts of an association that a console asks for."""

from typing import Final

from devices.dicom.services.querying import LEVELS
from devices.dicom.storage.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from devices.dicom.upper_layer.associate import (
    AcceptedContext,
    AssociateAccept,
    AssociateReject,
    AssociateRequest,
    ProposedContext,
    RoleSelection,
)

VERIFICATION: Final = "1.2.840.10008.1.1"
STORAGE_COMMITMENT: Final = "1.2.840.10008.1.20.1"

IMPLICIT: Final = "1.2.840.10008.1.2"
EXPLICIT: Final = "1.2.840.10008.1.2.1"

_STANDARD_SYNTAXES: Final = "1.2.840.10008.1.2"
_GE_IMPLICIT: Final = "1.2.840.113619.5.2"

NOT_ASKED: Final = 4
"""Result of a context without a transfer syntax to accept (PS3.8 table 9-18)."""

CALLING_AE_UNKNOWN: Final = AssociateReject(result=1, source=1, reason=3)
CALLED_AE_UNKNOWN: Final = AssociateReject(result=1, source=1, reason=7)
LOCAL_LIMIT_EXCEEDED: Final = AssociateReject(result=2, source=3, reason=2)
"""Rejections (PS3.8 table 9-21): permanent by the service user twice, transient by the presentation layer."""


QUERY_MODELS: Final = frozenset(LEVELS)

NOT_LET: Final = 1
"""Result of a context that the peer may not use: user-rejection (PS3.8 table 9-18)."""


def accept(request: AssociateRequest, *, may_query: bool) -> AssociateAccept:
    """Accept every context, whatever its class, private and unknown ones included.

    Storage takes the first transfer syntax that the sender proposes, as its preference, of those whose structure
    is known: data sets are kept as sent. Queries are for who may query. What is no storage class is answered by
    status. Asynchronous operations
    and extended negotiation are declined by not being answered (PS3.7 D.3.3.3, D.3.3.5).
    """
    return AssociateAccept(
        contexts=tuple(_accept(context, may_query=may_query) for context in request.contexts),
        roles=tuple(_accept_role(role) for role in request.roles),
        implementation_class_uid=IMPLEMENTATION_CLASS_UID,
        implementation_version=IMPLEMENTATION_VERSION_NAME,
    )


def is_to_query(request: AssociateRequest) -> bool:
    """Whether an association is asked for to query, and for nothing else."""
    return {context.abstract_syntax for context in request.contexts} <= QUERY_MODELS and bool(request.contexts)


def _accept(context: ProposedContext, *, may_query: bool) -> AcceptedContext:
    proposed = context.transfer_syntaxes
    if not proposed or not context.abstract_syntax:
        return AcceptedContext(context_id=context.context_id, transfer_syntax=IMPLICIT, reason=NOT_ASKED)
    if context.abstract_syntax in QUERY_MODELS and not may_query:
        return AcceptedContext(context_id=context.context_id, transfer_syntax=IMPLICIT, reason=NOT_LET)
    if context.abstract_syntax in {VERIFICATION, STORAGE_COMMITMENT, *QUERY_MODELS}:
        # their own data sets are read and written here, in these two only
        plain = next((syntax for syntax in proposed if syntax in {IMPLICIT, EXPLICIT}), None)
        if plain is None and context.abstract_syntax != VERIFICATION:
            return AcceptedContext(context_id=context.context_id, transfer_syntax=IMPLICIT, reason=NOT_ASKED)
        return AcceptedContext(context_id=context.context_id, transfer_syntax=plain or proposed[0])
    known = (syntax for syntax in proposed if syntax.startswith(_STANDARD_SYNTAXES) or syntax == _GE_IMPLICIT)
    return AcceptedContext(context_id=context.context_id, transfer_syntax=next(known, proposed[0]))


def _accept_role(role: RoleSelection) -> RoleSelection:
    # the node is SCP of what is asked of it; only of commitment the peer may be told so as well
    return RoleSelection(sop_class_uid=role.sop_class_uid, is_scu=role.is_scu, is_scp=False)
