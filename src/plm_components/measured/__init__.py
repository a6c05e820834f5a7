"""Measured tables: which part passed the gate on which hardware, and how fast it was. No torch."""

from plm_components.measured.files import read_table, write_table
from plm_components.measured.here import devices_here, processor_name
from plm_components.measured.shipped_tables import every_table, shipped, was_tested
from plm_components.measured.table import Machine, Row, Table

__all__ = [
    "Machine",
    "Row",
    "Table",
    "devices_here",
    "every_table",
    "processor_name",
    "read_table",
    "shipped",
    "was_tested",
    "write_table",
]
