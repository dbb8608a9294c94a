# SPDX-License-Identifier: Apache-2.0
import sys
from pathlib import Path

# The generator of episodes stands beside the tests and belongs to no package.
sys.path.append(str(Path(__file__).parent))
