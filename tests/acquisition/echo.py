"""A process that answers with the question, or says who and how it is: ``python -m tests.acquisition.echo``."""

import os

import numpy as np
from threadpoolctl import threadpool_info

from acquisition.apart import answer_all


def answer(question: object) -> object:
    """Answer one."""
    if question == "who":
        return os.getpid()
    if question == "how":
        np.linalg.inv(np.eye(3))
        return os.nice(0), {each["num_threads"] for each in threadpool_info()}
    return question


if __name__ == "__main__":
    answer_all(answer, niceness=3)
