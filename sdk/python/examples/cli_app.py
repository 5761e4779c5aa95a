"""A command-line program that is licensed: `shrink FILE` is for everybody with a license, `export` for those who paid.

VINZY_SERVER=https://licenses.example.com SHRINK_LICENSE=PRD-… python cli_app.py shrink photo.jpg
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

from vinzy_engine import LicenseClient, ValidateResult, VinzyError

# What a user can do about it.
ADVICE = {
    "INVALID_KEY": "The license key is mistyped. Set SHRINK_LICENSE to the key that you were sent.",
    "EXPIRED": "Your license has expired. Renew it at https://shop.example.com.",
    "SUSPENDED": "Your license is suspended. Write to support@example.com.",
    "LEASE_MISSING": "There is no network, and this machine has never been online with a license. Connect once.",
    "CLOCK_SET_BACK": "The clock of this machine is wrong. Set it, and connect once.",
}
EXIT_UNLICENSED = 3


def main(arguments: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(prog="shrink")
    parser.add_argument("command", choices=["shrink", "export"])
    parser.add_argument("file")
    given = parser.parse_args(arguments)
    state = Path(os.environ.get("XDG_STATE_HOME", "~/.local/state")) / "shrink" / "lease.json"
    with LicenseClient(
        os.environ.get("VINZY_SERVER", "http://localhost:8080"),
        license_key=os.environ.get("SHRINK_LICENSE", ""),
        lease_cache_path=str(state),
    ) as client:
        try:
            license_ = client.validate()
        except VinzyError as error:
            print(f"The license could not be checked: {error}", file=sys.stderr)
            return EXIT_UNLICENSED
    refusal = why_not(given.command, license_)
    if refusal:
        print(refusal, file=sys.stderr)
        return EXIT_UNLICENSED
    print(f"{given.command}: {given.file} ({license_.tier})")
    return 0


def why_not(command: str, license_: ValidateResult) -> str:
    """What to tell the user who may not; nothing if they may."""
    if not license_.valid:
        return ADVICE.get(license_.code, license_.message)
    if command == "export" and "export" not in license_.features:
        return "Your license does not include `export`."
    return ""


if __name__ == "__main__":
    sys.exit(main())
