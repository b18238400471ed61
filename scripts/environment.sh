# shellcheck shell=bash
# Sourced by quickstart and test: `make_environment EXTRAS` makes .venv at the root of the repository, or finds that it is complete.
#
# A stamp in .venv names what was installed (pyproject.toml, constraints.txt, Python, place); while it holds, nothing is installed.
# PYTHON chooses the interpreter; without it an environment that is there is kept, and a new one is made with python3.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
venv=$root/.venv

say() { printf '%s\n' "$*" >&2; }

fail() {
    say "error: $*"
    exit 1
}

require_python() {
    command -v "$1" >/dev/null 2>&1 || fail "no '$1' on this machine; install Python 3.11 or newer, or set PYTHON to one"
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        fail "'$1' is $("$1" --version 2>&1), but Python 3.11 or newer is needed; set PYTHON to one, for example PYTHON=python3.12 $0"
    "$1" -c 'import ensurepip, venv' 2>/dev/null ||
        fail "'$1' lacks the venv module; install it (Debian and Ubuntu: apt install python3-venv) or set PYTHON to another Python"
}

digest() { # of what decides the content of the environment, for extras $1 and the interpreter in .venv
    "$venv/bin/python" - "$1" "$root" <<'PYTHON'
import hashlib, platform, sys
from pathlib import Path

extras, root = sys.argv[1], Path(sys.argv[2])
total = hashlib.sha256(f"{extras}\0{root}\0{sys.version}\0{platform.machine()}\0".encode())
for name in ("pyproject.toml", "constraints.txt"):
    total.update((root / name).read_bytes())
print(total.hexdigest())
PYTHON
}

same_python() { # whether .venv was made by interpreter $1
    local version='import sys; print(sys.version, sys.base_prefix)'
    [ "$("$venv/bin/python" -c "$version" 2>/dev/null)" = "$("$1" -c "$version")" ]
}

works() { # whether .venv can be used: its Python and pip run
    "$venv/bin/python" -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

ours() { # whether this script made .venv; no other is ever removed
    [ -e "$venv/place" ]
}

moved() { # whether .venv stands elsewhere than where it was made
    ours && [ "$(cat "$venv/place")" != "$venv" ]
}

make_venv() {
    [ -z "${PYTHON:-}" ] || require_python "$PYTHON"
    if [ -e "$venv" ]; then
        if works && ! moved && { [ -z "${PYTHON:-}" ] || same_python "$PYTHON"; }; then
            return
        fi
        ours || fail "$venv is in the way: it does not work, or is of another Python, and this script did not make it; move it elsewhere"
    fi
    require_python "${PYTHON:-python3}"
    say "Making .venv with $("${PYTHON:-python3}" --version)"
    rm -rf "$venv"
    mkdir "$venv"
    printf '%s\n' "$venv" >"$venv/place"
    "${PYTHON:-python3}" -m venv "$venv" || fail "could not make $venv"
}

make_environment() {
    local extras=$1 target=$root log stamp
    stamp=$venv/installed-${extras:-run}
    [ -z "$extras" ] || target="${root}[${extras}]"
    make_venv
    if [ "$(cat "$stamp" 2>/dev/null)" = "$(digest "$extras")" ]; then
        return
    fi
    log=$venv/install.log
    say "Installing md_sensitivity${extras:+ with the extras for $extras} (once; some minutes on a slow network; log: $log)"
    rm -f "$venv"/installed-*
    if ! "$venv/bin/python" -m pip install --disable-pip-version-check --no-input -c "$root/constraints.txt" -e "$target" >"$log" 2>&1; then
        tail -n 15 "$log" >&2
        fail "installation failed; the whole log is $log"
    fi
    digest "$extras" >"$stamp"
    # What the tests need contains what a run needs.
    [ -z "$extras" ] || digest "" >"$venv/installed-run"
}
