"""An outlet in a process of its own, beside tally services of a name: `python -m tests.outlet.child <name>`."""

import sys

from chassis.running import program
from chassis.testing.tally import TallyServices
from outlet.hooks import delivering
from outlet.program import build
from outlet.settings import Settings
from tests.planted import plant_from_environment

if __name__ == "__main__":
    plant_from_environment()
    delivering.LEASE_SECONDS = 2.0  # a dead process holds the next one up no longer
    delivering.STAND_BY_SECONDS = 0.2
    settings = program.told(Settings)
    provider = program.begin("outlet", "api", settings)
    program.serve(build(settings, TallyServices(sys.argv[1]).catalog), settings, provider)
