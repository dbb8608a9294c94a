# SPDX-License-Identifier: Apache-2.0
import sys
from pathlib import Path

# What the tests share stands beside them and belongs to no package.
sys.path.append(str(Path(__file__).parent))
