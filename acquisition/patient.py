"""Whose something is: two identifiers, as on the wristband."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """A patient by ID and name; the name is empty where only the ID is known."""

    patient_id: str
    name: str = ""

    def is_named(self, patient_id: str, name: str) -> bool:
        """Whether an ID and a name, as DICOM has them (PS3.5 6.2.1.1), are this patient's."""
        if not self.patient_id or self.patient_id != patient_id:
            return False
        return not self.name or _spelt(self.name) == _spelt(name)


def _spelt(name: str) -> tuple[str, ...]:
    """Take a name apart; nodes differ in case, in spaces, and in how many empty parts they write."""
    parts = name.split("=", maxsplit=1)[0].casefold().split("^")
    return tuple(filter(None, (" ".join(part.split()) for part in parts)))
