"""A study from an archive (PS3.4 annex C): on an association of its own (C-MOVE), or on ours (C-GET)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from pydicom.dataset import Dataset
from pydicom.uid import (
    JPEG2000,
    CTImageStorage,
    EnhancedCTImageStorage,
    EnhancedPETImageStorage,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    MRImageStorage,
    NuclearMedicineImageStorage,
    PositronEmissionTomographyImageStorage,
    RLELossless,
    SecondaryCaptureImageStorage,
)
from pynetdicom import build_role, evt
from pynetdicom.association import Association
from pynetdicom.presentation import StoragePresentationContexts, build_context
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)

from devices.dicom.clients.association import PLAIN, PeerFailed, associated, silence
from devices.dicom.clients.finding import PENDING
from devices.dicom.clients.relay import relaying
from devices.dicom.settings import NodeSettings, Peer, Retrieval

LONGEST_SILENCE_S: Final = 600.0
"""An archive need not tell how far it is (PS3.4 C.4.2.3.1): so long it may send without a word."""

COMPRESSED: Final = (
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEG2000Lossless,
    RLELossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLSNearLossless,
    JPEG2000,
)
"""Offered in a context of their own, so that an archive may send what it has compressed as it is."""

COMPRESSED_CLASSES: Final = (
    NuclearMedicineImageStorage,
    CTImageStorage,
    PositronEmissionTomographyImageStorage,
    MRImageStorage,
    SecondaryCaptureImageStorage,
    EnhancedCTImageStorage,
    EnhancedPETImageStorage,
)
"""Those of an association's 128 contexts that the storage classes leave."""

_MEANINGS: Final = {
    0xA701: "out of resources: it cannot count what it has",
    0xA702: "out of resources: it could not send",
    0xA801: "it does not know our AE title as a destination: enter title, address and port of the node there",
    0xA900: "it does not take the request for one of this service",
    0xB000: "not every object came",
    0xFE00: "it was cancelled there",
}
"""Statuses of C-MOVE and C-GET (PS3.4 tables C.4-2 and C.4-3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubOperations:
    """How far an archive is, in objects; None where it does not say."""

    remaining: int | None
    completed: int
    failed: int
    warnings: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrieved:
    """What came of asking for a study.

    Attributes
    ----------
    counts
        The archive's last count.
    failed
        Objects that did not come, by UID, with the reason where it is known.
    reason
        Why it is not whole, in words; empty where it is.

    """

    counts: SubOperations
    failed: dict[str, str]
    reason: str

    @property
    def is_whole(self) -> bool:
        """Whether every object came."""
        return not self.reason


Tell = Callable[[SubOperations], None]


def retrieve(archive: Peer, study_uid: str, node: NodeSettings, *, tell: Tell) -> Retrieved:
    """Have an archive send a study to our node, which must run and let the archive in. Blocks: for a thread.

    Raises
    ------
    PeerFailed
        Where it cannot be asked, breaks off or falls silent, or what it sends is not let in.

    """
    sender = node.find_sender(archive.ae_title)
    if sender is None or not sender.may_call(node.ae_title, node.ae_title):
        raise PeerFailed(archive, f"the node would not let it in: list {archive.ae_title} in allowed_ae_titles")
    match archive.retrieval:
        case Retrieval.MOVE:
            return _move(archive, study_uid, node, tell=tell)
        case Retrieval.GET:
            return _get(archive, study_uid, node, tell=tell)


def _move(archive: Peer, study_uid: str, node: NodeSettings, *, tell: Tell) -> Retrieved:
    model = StudyRootQueryRetrieveInformationModelMove
    with associated(archive, [build_context(model, list(PLAIN))], calling_ae=node.ae_title) as association:
        association.dimse_timeout = association.network_timeout = LONGEST_SILENCE_S
        answers = association.send_c_move(_asked(study_uid), node.ae_title, model)
        return _follow(association, archive, answers, {}, tell=tell)


def _get(archive: Peer, study_uid: str, node: NodeSettings, *, tell: Tell) -> Retrieved:
    model = StudyRootQueryRetrieveInformationModelGet
    storage = [
        *(build_context(context.abstract_syntax or "", list(PLAIN)) for context in StoragePresentationContexts),
        *(build_context(sop_class, list(COMPRESSED)) for sop_class in COMPRESSED_CLASSES),
    ]
    contexts = [build_context(model, list(PLAIN)), *storage]
    # of these classes we are the provider, although we open the association (PS3.7 D.3.3.4)
    roles = [
        build_role(sop_class, scp_role=True)
        for sop_class in dict.fromkeys(context.abstract_syntax or "" for context in storage)
    ]
    with associated(archive, contexts, calling_ae=node.ae_title, roles=roles) as association:
        association.dimse_timeout = association.network_timeout = LONGEST_SILENCE_S
        accepted = [context for context in association.accepted_contexts if context.abstract_syntax != model]
        if not accepted or len(accepted) == len(association.accepted_contexts):
            raise PeerFailed(archive, 'it does not serve C-GET: switch that on there, or write retrieval = "move"')
        with relaying(archive, node, accepted) as relay:
            association.bind(evt.EVT_C_STORE, relay.store)
            answers = association.send_c_get(_asked(study_uid), model)
            return _follow(association, archive, answers, relay.failed, tell=tell)


def _asked(study_uid: str) -> Dataset:
    asked = Dataset()
    asked.QueryRetrieveLevel = "STUDY"
    asked.StudyInstanceUID = study_uid
    return asked


def _follow(
    association: Association,
    archive: Peer,
    answers: Iterator[tuple[Dataset, Dataset | None]],
    failed: dict[str, str],
    *,
    tell: Tell,
) -> Retrieved:
    """Follow the answers to the last; ``failed`` are the objects known to have failed here."""
    for status, identifier in answers:
        if "Status" not in status:
            raise PeerFailed(archive, silence(association))
        counts = SubOperations(
            remaining=status.get("NumberOfRemainingSuboperations"),
            completed=status.get("NumberOfCompletedSuboperations") or 0,
            failed=status.get("NumberOfFailedSuboperations") or 0,
            warnings=status.get("NumberOfWarningSuboperations") or 0,
        )
        tell(counts)
        if status.Status not in PENDING:
            named = _named(identifier)
            return Retrieved(
                counts=counts,
                failed={**dict.fromkeys(named, ""), **failed},
                reason=_reason(status, counts, failed),
            )
    raise PeerFailed(archive, silence(association))


def _named(identifier: Dataset | None) -> list[str]:
    """Read which objects failed, where the archive says so: it need not."""
    value = identifier.get("FailedSOPInstanceUIDList") if identifier is not None else None
    return [value] if isinstance(value, str) else [str(uid) for uid in value or ()]


def _reason(status: Dataset, counts: SubOperations, failed: dict[str, str]) -> str:
    comment = str(status.get("ErrorComment", "") or "")
    if status.Status != 0x0000:
        meaning = _MEANINGS.get(status.Status, "its log tells more")
        return f"it ends with status {status.Status:04X}: {': '.join(filter(None, (meaning, comment)))}"
    if counts.failed or failed:
        return f"{max(counts.failed, len(failed))} objects did not come"
    if not counts.completed and not counts.warnings:
        return "it has no such study, or sends nothing of it"
    return ""
