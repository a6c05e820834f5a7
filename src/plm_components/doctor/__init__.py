"""What works on this machine and what does not, each with the fix; survives all of it.

Every package is imported in another process, so that one that crashes or hangs takes nothing down.
"""

from plm_components.doctor.diagnosis import Diagnosis, diagnose
from plm_components.doctor.finding import Finding
from plm_components.doctor.plugins import examine_plugins

__all__ = ["Diagnosis", "Finding", "diagnose", "examine_plugins"]
