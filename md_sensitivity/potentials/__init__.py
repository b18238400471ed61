"""Functional forms: what interacts how. Adding one is a file and a line in this table."""

from md_sensitivity.potentials.base import Form
from md_sensitivity.potentials.buckingham import BUCKINGHAM
from md_sensitivity.potentials.eam import EAM, EAM_FS, EAM_FUNCFL
from md_sensitivity.potentials.edip import EDIP
from md_sensitivity.potentials.gupta import GUPTA
from md_sensitivity.potentials.lennard_jones import LENNARD_JONES
from md_sensitivity.potentials.morse import MORSE
from md_sensitivity.potentials.soft_sphere import SOFT_SPHERE
from md_sensitivity.potentials.stillinger_weber import STILLINGER_WEBER
from md_sensitivity.potentials.sutton_chen import SUTTON_CHEN
from md_sensitivity.potentials.tersoff import TERSOFF
from md_sensitivity.potentials.tersoff_mod import TERSOFF_MOD, TERSOFF_MODC
from md_sensitivity.potentials.vashishta import VASHISHTA
from md_sensitivity.registry import Registry

POTENTIALS: Registry[Form] = Registry(
    "potential",
    (
        LENNARD_JONES,
        MORSE,
        BUCKINGHAM,
        SOFT_SPHERE,
        GUPTA,
        SUTTON_CHEN,
        EAM,
        EAM_FS,
        EAM_FUNCFL,
        STILLINGER_WEBER,
        TERSOFF,
        TERSOFF_MOD,
        TERSOFF_MODC,
        VASHISHTA,
        EDIP,
    ),
)
