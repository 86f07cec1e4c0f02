"""What makes a new name in a folder last."""

import os
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Has the names of a folder on the disk.

    Raises:
        OSError: it cannot be.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
