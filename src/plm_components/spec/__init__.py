"""Specs: load, compose, override, and check options against constructors. Imports no torch."""

from plm_components.spec.compose import load_spec, spec_folder, spec_name
from plm_components.spec.files import shipped_specs
from plm_components.spec.layout import RESERVED, SPEC_SLOTS, SPEC_VERSION, SpecSlot
from plm_components.spec.offers import PartOffer, candidates_of, offers_of
from plm_components.spec.read import parse_yaml
from plm_components.spec.resolve import resolve, resolve_part
from plm_components.spec.signature import MISSING, Option, PartSignature, Slot, signature_of
from plm_components.spec.slots import DefaultPart, EveryPart
from plm_components.spec.tree import Part, SpecTree, default_processor
from plm_components.spec.write import dump_yaml

__all__ = [
    "MISSING",
    "RESERVED",
    "SPEC_SLOTS",
    "SPEC_VERSION",
    "DefaultPart",
    "EveryPart",
    "Option",
    "Part",
    "PartOffer",
    "PartSignature",
    "Slot",
    "SpecSlot",
    "SpecTree",
    "candidates_of",
    "default_processor",
    "dump_yaml",
    "load_spec",
    "offers_of",
    "parse_yaml",
    "resolve",
    "resolve_part",
    "shipped_specs",
    "signature_of",
    "spec_folder",
    "spec_name",
]
