"""The process of the estimate: ``python -m acquisition.estimate.estimator CONNECTION`` (``acquisition.apart``).

Takes premises, then readings and poses, and answers each (``acquisition.estimate.estimating``).
"""

from acquisition.apart import answer_all
from acquisition.estimate.estimating import Respondent

NICENESS = 5
"""Counts and frames come first, the estimate next, the picture last."""


if __name__ == "__main__":
    answer_all(Respondent().answer, niceness=NICENESS)
