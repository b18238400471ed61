"""Functional forms: what interacts how. Adding one is a file and a line in this table."""

from md_sensitivity.potentials.base import Form
from md_sensitivity.potentials.born_mayer_huggins import BORN_MAYER_HUGGINS
from md_sensitivity.potentials.buckingham import BUCKINGHAM
from md_sensitivity.potentials.cmap import CMAP
from md_sensitivity.potentials.coulomb import COULOMB_DIRECT
from md_sensitivity.potentials.coulomb_dsf import COULOMB_DSF
from md_sensitivity.potentials.coulomb_wolf import COULOMB_WOLF
from md_sensitivity.potentials.eam import EAM, EAM_FS, EAM_FUNCFL
from md_sensitivity.potentials.eam_zhou import EAM_ZHOU
from md_sensitivity.potentials.edip import EDIP
from md_sensitivity.potentials.ewald import COULOMB_EWALD
from md_sensitivity.potentials.finnis_sinclair import FINNIS_SINCLAIR
from md_sensitivity.potentials.fourier_torsion import FOURIER_TORSION
from md_sensitivity.potentials.gupta import GUPTA
from md_sensitivity.potentials.harmonic_angle import HARMONIC_ANGLE
from md_sensitivity.potentials.harmonic_bond import HARMONIC_BOND, UREY_BRADLEY
from md_sensitivity.potentials.inverse_power import INVERSE_POWER
from md_sensitivity.potentials.lennard_jones import LENNARD_JONES
from md_sensitivity.potentials.lennard_jones_rmin import LENNARD_JONES_RMIN
from md_sensitivity.potentials.mie import MIE
from md_sensitivity.potentials.morse import MORSE
from md_sensitivity.potentials.morse_bond import MORSE_BOND
from md_sensitivity.potentials.particle_mesh import COULOMB_PME
from md_sensitivity.potentials.snap import SNAP
from md_sensitivity.potentials.soft_sphere import SOFT_SPHERE
from md_sensitivity.potentials.stillinger_weber import STILLINGER_WEBER
from md_sensitivity.potentials.sutton_chen import SUTTON_CHEN
from md_sensitivity.potentials.tersoff import TERSOFF
from md_sensitivity.potentials.tersoff_mod import TERSOFF_MOD, TERSOFF_MODC
from md_sensitivity.potentials.torsions import HARMONIC_TORSION, PERIODIC_TORSION, RYCKAERT_BELLEMANS
from md_sensitivity.potentials.vashishta import VASHISHTA
from md_sensitivity.potentials.yukawa import YUKAWA
from md_sensitivity.potentials.zbl import ZBL
from md_sensitivity.registry import Registry

POTENTIALS: Registry[Form] = Registry(
    "potential",
    (
        LENNARD_JONES,
        LENNARD_JONES_RMIN,
        MIE,
        MORSE,
        BUCKINGHAM,
        BORN_MAYER_HUGGINS,
        YUKAWA,
        ZBL,
        SOFT_SPHERE,
        INVERSE_POWER,
        COULOMB_DIRECT,
        COULOMB_EWALD,
        COULOMB_PME,
        COULOMB_DSF,
        COULOMB_WOLF,
        GUPTA,
        SUTTON_CHEN,
        FINNIS_SINCLAIR,
        EAM_ZHOU,
        EAM,
        EAM_FS,
        EAM_FUNCFL,
        STILLINGER_WEBER,
        SNAP,
        TERSOFF,
        TERSOFF_MOD,
        TERSOFF_MODC,
        VASHISHTA,
        EDIP,
        HARMONIC_BOND,
        MORSE_BOND,
        HARMONIC_ANGLE,
        UREY_BRADLEY,
        PERIODIC_TORSION,
        RYCKAERT_BELLEMANS,
        FOURIER_TORSION,
        HARMONIC_TORSION,
        CMAP,
    ),
)
