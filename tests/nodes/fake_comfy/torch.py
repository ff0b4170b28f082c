"""As much of torch as our nodes use: a tensor is the array that it was made from."""

import numpy as np


class Tensor(np.ndarray):
    def detach(self):
        return self

    def cpu(self):
        return self

    def numpy(self):
        return np.asarray(self)


def from_numpy(array):
    return array.view(Tensor)
