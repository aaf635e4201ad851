"""The library's scenarios are valid, make economic sense and match theory; the scripts run.

Statistical figures are compared at six standard errors or more of the size they run at, so the
false-alarm rate of one comparison is below 2e-9; seeds are fixed.
"""

from __future__ import annotations

import math
import re
import runpy
import sys
import tomllib
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import walras as w
from walras.scenarios import library
from walras.scenarios.errors import Severity, errors_in
from walras.scenarios.load import read
