"""Writes docs/conformance.md: ``python -m devices.dicom.conformance docs/conformance.md``.

What can be taken from the code's own tables is: limits and their defaults, statuses, rejections, identifiers,
ciphers, what is asked of others. A test holds the page to it.
"""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from pydantic_core import PydanticUndefined
from pydicom.datadict import keyword_for_tag
from pydicom.uid import UID
from pynetdicom.presentation import StoragePresentationContexts

from devices.dicom.clients.answers import judge
from devices.dicom.clients.association import PLAIN
from devices.dicom.clients.finding import MOST_AFTER_CANCEL
from devices.dicom.clients.retrieval import COMPRESSED, COMPRESSED_CLASSES
from devices.dicom.clients.sending import MOST_CONTEXTS
from devices.dicom.door import SPARE_CONNECTIONS, WAITING_CONNECTIONS
from devices.dicom.index.answering import COUNTS, INSTANCE_AVAILABILITY, LEVELS
from devices.dicom.index.queries import Level, keys
from devices.dicom.meanings import (
    ACTION_STATUSES,
    ANSWERS,
    ASKED,
    FAILURES,
    QUERY_STATUSES,
    REJECTIONS,
    STORAGE_STATUSES,
    WEB_STATUSES,
)
from devices.dicom.retrying import Retrying
from devices.dicom.services import negotiation, querying
from devices.dicom.services.commands import Status
from devices.dicom.services.commitment import LONGEST_REQUEST_BYTES
from devices.dicom.services.querying import QueryLevel
from devices.dicom.settings import (
    NodeSettings,
    Peer,
    PeerTls,
    RetentionRule,
    Section,
    Sender,
    TlsSettings,
    WebClient,
    WebSettings,
)
from devices.dicom.storage.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME, SEAL_CREATOR_UID
from devices.dicom.tls import CIPHERS
from devices.dicom.upper_layer.associate import APPLICATION_CONTEXT
from devices.dicom.upper_layer.pdus import MAXIMUM_PDU_BYTES
from devices.dicom.upper_layer.timing import LOOKS_A_SILENCE
from devices.dicom.web.application import ROOT
from devices.dicom.web.attributes import BULK_BYTES, MEDIA_TYPE
from devices.dicom.web.searching import MODALITIES_IN_STUDY, MOST_RESULTS


def _search_keys(level: Level, above: Level | None = None) -> str:
    """Name what is searched by at a level, and not at the one above."""
    return _tags({*keys(level), MODALITIES_IN_STUDY} - ({*keys(above), MODALITIES_IN_STUDY} if above else set()))


def _query_keys(level: QueryLevel) -> str:
    """Name what is matched at a level of C-FIND, and what is given back besides."""
    matched = set(keys(LEVELS[level])) | ({MODALITIES_IN_STUDY} if level is QueryLevel.STUDY else set())
    return f"{_tags(matched)}; not matched: {_tags({INSTANCE_AVAILABILITY, *COUNTS[level]})}"


def _tags(tags: Iterable[int]) -> str:
    return ", ".join(f"{keyword_for_tag(tag)} ({tag >> 16:04X},{tag & 0xFFFF:04X})" for tag in sorted(tags))


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def _fields(section: type[Section]) -> str:
    rows = []
    for name, field in section.model_fields.items():
        default = "required" if field.default is PydanticUndefined else f"`{_shown(field.default)}`"
        rows.append((f"`{name}`", default, field.description or ""))
    return _table(("key", "default", "meaning"), rows)


def _shown(default: object) -> str:
    if isinstance(default, tuple | frozenset):
        return "[" + ", ".join(str(item) for item in default) + "]"
    return str(default)


def _statuses(statuses: dict[Status, str]) -> str:
    return _table(("status", "when"), ((f"{status:04X}", meaning) for status, meaning in statuses.items()))


def _named(uids: Iterable[str | None]) -> str:
    return ", ".join(UID(uid or "").name for uid in uids)


def _answers() -> str:
    """Say what each answer to C-STORE means, by asking the code that judges them."""
    return _table(
        ("status", "meaning", "the object"),
        (
            (f"{status:04X}", judge(status)[1].removeprefix(f"{status:04X}: ") or "success", judge(status)[0])
            for status in ANSWERS
        ),
    )


def statement() -> str:
    """Write the conformance statement."""
    asked = "".join(
        f"| {UID(model).name} | {model} | {f'yes (`radionav {command}`)' if command else 'no'} | "
        f"{'yes' if model in negotiation.QUERY_MODELS else 'no'} |\n"
        for command, model in ASKED
    )
    rejections = _table(
        ("result", "source", "reason", "when"),
        ((str(one.result), str(one.source), str(one.reason), said) for one, said in REJECTIONS.items()),
    )
    failures = _table(("reason", "when"), ((f"{reason:04X}", said) for reason, said in FAILURES.items()))
    models = "".join(f"- {UID(model).name}: {', '.join(levels)}\n" for model, levels in querying.LEVELS.items())
    query_keys = "".join(f"- {level}: {_query_keys(level)}\n" for level in QueryLevel)
    web_statuses = _table(("status", "when"), ((str(status), said) for status, said in WEB_STATUSES.items()))
    dicom = 'multipart/related; type="application/dicom"'
    return f"""# DICOM conformance statement

Written from the node's own tables by `python -m devices.dicom.conformance docs/conformance.md`, in the order
of PS3.2 annex N. How to set up a console is in [console.md](console.md).

## 1. Overview

| SOP class | UID | as user (SCU) | as provider (SCP) |
| --- | --- | --- | --- |
| Verification | {negotiation.VERIFICATION} | yes (`radionav check`) | yes |
| Storage: every class, private and unknown ones too | any | yes (`radionav send`) | yes |
| Storage Commitment Push Model | {negotiation.STORAGE_COMMITMENT} | no | yes |
{asked}
Not offered: retrieve and worklist as provider, print, media. By HTTP: store, search, retrieve (section 8).

## 2. Implementation model

One application entity, the storage node. It listens on one port, and on a second for TLS where that is set
up. It keeps each object as it was sent and announces a study when its associations have ended and nothing
more has come for `quiet_s`. It opens associations to report on storage commitment, and, where
`[[dicom.peers]]` names peers, as their user.

## 3. Associations

| | |
| --- | --- |
| application context | {APPLICATION_CONTEXT} |
| implementation class UID | {IMPLEMENTATION_CLASS_UID} |
| implementation version | {IMPLEMENTATION_VERSION_NAME} |
| longest PDU taken | {MAXIMUM_PDU_BYTES} bytes; never stated as 0 |
| longest PDU sent | as the peer states |
| asynchronous operations | declined: one operation at a time |
| extended negotiation | declined, but for role selection |
| user identity | not looked at |
| connections without an association from one address | {SPARE_CONNECTIONS}; for one more the oldest is closed |
| connections in all | `maximum_associations` and {WAITING_CONNECTIONS}; the oldest without one makes room |

The state machine is that of PS3.8 section 9.2, with its ARTIM timer.

### Acceptance

Every presentation context is accepted, whatever its abstract syntax, any number of times. Of its transfer
syntaxes the first that is the standard's is taken, else the first; for storage commitment and queries implicit
or explicit VR little endian. Queries are accepted of senders with `may_query` only; who asks for nothing else is
rejected without. What is neither storage, verification, storage commitment nor a query is answered with status
{Status.UNRECOGNISED_OPERATION:04X}.

### Rejection

{rejections}
A malformed message, an object above `maximum_object_mb`, or an exceeded time ends in an A-ABORT. So does a
message whose data set comes more slowly than `minimum_bytes_per_s`, as a mean over `idle_time_s` or more in which
it is the sender's turn.

Where `maximum_associations`, the node's or the sender's, are open, one whose data sets come more slowly than that
ends for a new one: the oldest such of the title that has most, unless that has fewer than the newcomer's title
then would. The mean is taken since the association began while it is young, and nobody is judged in the first
1/{LOOKS_A_SILENCE} of `idle_time_s`. One that brings data sets at that pace never ends for another.

## 4. Storage

The level of storage is 2 (full): every attribute is kept, private ones included. Data sets are never decoded,
encoded again or coerced. The same object sent again is kept once. Other bytes under a UID that is there are
dealt with by the sender's rule `on_conflict`: kept with the first in use, kept with the newcomer in use, or
rejected. Queries, retrievals and sending on see the object in use.

{_statuses(STORAGE_STATUSES)}
Files hold a private seal in their meta information (creator {SEAL_CREATOR_UID}): CRC-64/XZ and length of the
data set as received, each eight bytes, big endian.

## 5. Storage commitment

A request is answered when it is on the disk. Each object is then read back and compared with its seal. The
report goes to the sender's `commitment_host`, with the role of provider proposed; without one, on an
association with the service that the sender has open, this or a later one. It is tried until the sender has
answered it with success, also after a restart; a sender is called by one association at a time. A request of more
than {LONGEST_REQUEST_BYTES // 1_000_000} MB, some 100,000 objects, ends its association.

{_statuses(ACTION_STATUSES)}
{failures}
## 6. Query

What is in use (section 4) is found by C-FIND, without extended negotiation: hierarchical queries, each with the
unique key of every level above, of one value.

{models}
Matched are single values, lists of UIDs, wildcards, and ranges of dates and of times (PS3.4 C.2.2.2); names
without regard to case of the letters a to z. Keys of the levels above may be asked for too. A patient is who is
called so: one ID with two names is two answers. An answer holds the keys asked for that are known, in ASCII,
ISO_IR 100 or ISO_IR 192, whichever is the first to have every letter. What was stored less than a second ago may
not be found yet.

{query_keys}
{_statuses(QUERY_STATUSES)}
## 7. As user of others

Only peers of `[[dicom.peers]]` are called, and each only for its roles. The calling AE title is the node's. A
request proposes {_named(PLAIN)}.

**Storage.** Each object is proposed, and sent, in the transfer syntax that it was received in: one presentation
context for each pair of class and syntax, several associations where there are more than {MOST_CONTEXTS}.
Objects are never converted; one whose pair is not accepted is a failure, and so is one that is not what its seal
says. What is postponed is tried again, after {Retrying().first_s:g} s and then twice as long each time, up to
{Retrying().longest_s:g} s, each pause shortened by up to a half at random; the order survives a restart.

{_answers()}
**Worklist and study query.** Answers are read in the character set that each states. One that cannot be read is
named and left out. When a limit is passed C-CANCEL is sent; a peer that sends {MOST_AFTER_CANCEL} more answers is
aborted.

**Retrieve.** With C-MOVE the destination is the node. With C-GET the classes below are proposed with the role of
provider; what comes is handed to the node under the archive's AE title, whose rules therefore hold, and the
archive gets the node's status.

- In {_named(PLAIN)}: {_named(context.abstract_syntax for context in StoragePresentationContexts)}.
- Also compressed ({_named(COMPRESSED)}): {_named(COMPRESSED_CLASSES)}.

## 8. DICOMweb

Off unless `[dicom.web]` is there. The same objects, by HTTP 1.1 below `{ROOT}`; HTTPS with `tls = true`. Every
request carries the token of a client (`Authorization: Bearer`); storing wants `may_store`.

| service | resource | media type |
| --- | --- | --- |
| STOW-RS, store | `POST /studies`, `/studies/{{study}}` | {dicom}; answer {MEDIA_TYPE} |
| QIDO-RS, search | `GET /studies`, `/series`, `/instances`, and below a study and a series | {MEDIA_TYPE} |
| WADO-RS, retrieve | `GET` a study, a series, an instance | {dicom} |
| WADO-RS, metadata | `GET …/metadata` of each | {MEDIA_TYPE} |

Not offered: rendered resources, frames, bulk data, UPS-RS, XML, single-part retrieval, transcoding. An object
is given in the transfer syntax stored, also where none is asked for. Metadata leaves out pixel data, what
stands after it, and values of bytes or numbers longer than {BULK_BYTES} bytes.

Objects are stored under the rules of section 4, a request being what an association is there. Failure Reason
(0008,1197) is a status of section 4; what is no DICOM file is in Other Failures Sequence (0008,119A).

A search matches single values, lists of UIDs, wildcards, and ranges of dates and times (PS3.4 C.2.2.2);
names without regard to case of the letters a to z. An attribute that cannot be searched by is refused. Every
attribute listed is given back. A parameter other than `includefield` with two values is refused. At most
{MOST_RESULTS} results come at a time; a warning says how many more there are. What was
stored less than a second ago may not be found yet; it can be retrieved at once.

- studies: {_search_keys(Level.STUDIES)}
- series, beside: {_search_keys(Level.SERIES, Level.STUDIES)}
- instances, beside: {_search_keys(Level.INSTANCES, Level.SERIES)}

{web_statuses}
## 9. Configuration

### `[dicom]`

{_fields(NodeSettings)}
### `[[dicom.senders]]`

{_fields(Sender)}
### `[[dicom.retention]]`

{_fields(RetentionRule)}
### `[[dicom.peers]]`

{_fields(Peer)}
### `[dicom.peers.tls]`

{_fields(PeerTls)}
### `[dicom.tls]`

{_fields(TlsSettings)}
### `[dicom.web]`

{_fields(WebSettings)}
### `[[dicom.web.clients]]`

{_fields(WebClient)}
## 10. Character sets

Data sets are kept as sent, in whatever character set; answers to queries are encoded anew.
AE titles are of the default repertoire.

## 11. Security

- TLS 1.2 and 1.3 (BCP 195), for TLS 1.2 with `{CIPHERS}`; certificates of senders are asked for where
  `client_ca` is given.
- Nobody may send or query who is not listed, by calling and called title and by network; to query wants a word of
  its own.
- By HTTP nobody is answered without the token of a listed client; it is compared in constant time, and read from a
  header only. Addresses beyond this machine want TLS.
- The audit trail (PS3.15 A.5) is in `.audit` in the node's folder, one JSON message a line: start, stop, what each
  association brought, every query and what it found, every refusal, what was asked of other
  nodes and sent to them and by whom, every study deleted by command, and files found missing. What an association
  had brought when the node was killed is noted at the next start, as failed in part (outcome 4). Of refusals of
  one cause, sender and address the first five in a minute are noted singly, those after them by their number.
  It is not sent to a repository by syslog (PS3.15 A.6).
"""


def main() -> None:
    """Write the page that the command line names."""
    Path(sys.argv[1]).write_text(statement(), encoding="utf-8")


if __name__ == "__main__":
    main()
