"""Runs the tests of a built tree; scripts/test sets everything up first."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from runner.main import main

sys.exit(main())
