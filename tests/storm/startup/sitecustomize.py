"""Python runs this before anything else in a fleet's processes.

It takes away the guards that a control names, and leads the wall clock to where a storm wants it.
"""

import os
import sys
from pathlib import Path

if names := os.environ.get("STORM_SABOTAGE", ""):
    sys.path.append(str(Path(__file__).parent.parent))
    import sabotage

    sabotage.commit(names.split(","))

if file := os.environ.get("STORM_CLOCK", ""):
    from portero.project.faults import clock

    clock.follow(Path(file))
