"""`md-sensitivity --help` lists readers and formats; that must not cost the import of ASE, MDTraj or JAX."""

import subprocess
import sys


def test_the_table_of_formats_imports_no_library():
    code = (
        "import sys, md_sensitivity.structures, md_sensitivity.structures.select, md_sensitivity.structures.write\n"
        "print(*sorted({'ase', 'mdtraj', 'jax', 'scipy', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
