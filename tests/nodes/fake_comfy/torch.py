"""As much of torch as our nodes use: a tensor is the array that it was made from."""


def from_numpy(array):
    return array
