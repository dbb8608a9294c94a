# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.transform import Rotation

from humanoid_core import rotations

vectors = arrays(float, 3, elements=st.floats(-3.0, 3.0))


@given(vectors)
def test_exp_matrix_quaternion_agree_with_scipy(vector):
    truth = Rotation.from_rotvec(vector)
    q = rotations.exp(vector)
    assert rotations.matrix(q) == pytest.approx(truth.as_matrix(), abs=1e-12)
    back = rotations.quaternion(truth.as_matrix())
    assert min(np.abs(back - q).max(), np.abs(back + q).max()) < 1e-7
    assert rotations.exp(rotations.log(q)) @ q == pytest.approx(np.sign(rotations.exp(rotations.log(q)) @ q), abs=1e-9)


@given(vectors, vectors, st.floats(0.0, 1.0))
def test_slerp_divides_the_shortest_way(a, b, fraction):
    qa, qb = rotations.exp(a), rotations.exp(b)
    whole = rotations.angle(qa, qb)
    assert whole == pytest.approx((Rotation.from_rotvec(a).inv() * Rotation.from_rotvec(b)).magnitude(), abs=1e-6)
    assert rotations.angle(qa, rotations.slerp(qa, qb, fraction)) == pytest.approx(fraction * whole, abs=1e-6)


def test_log_of_the_half_turn_and_of_the_other_sign():
    assert np.linalg.norm(rotations.log(np.array([1.0, 0.0, 0.0, 0.0]))) == pytest.approx(np.pi)
    q = rotations.exp(np.array([0.1, 0.2, 0.3]))
    assert rotations.log(-q) == pytest.approx([0.1, 0.2, 0.3])


@pytest.mark.parametrize("bad", [[0, 0, 0, 0], [np.nan, 0, 0, 1], [0, 0, 0, 5.0], [np.inf, 0, 0, 0]])
def test_a_quaternion_that_is_none_is_refused(bad):
    assert rotations.normalised(np.array(bad, dtype=float)) is None


def test_a_nearly_unit_quaternion_is_made_one():
    assert rotations.normalised(np.array([0.0, 0.0, 0.0, 1.1])).tolist() == [0.0, 0.0, 0.0, 1.0]
