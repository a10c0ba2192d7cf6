"""Frames joined by name, looked at for one time."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from navigation.errors import NavigationError
from navigation.frame_graph import Edge, EdgeState, EdgeStatus, FrameGraph, MissingEdge, still
from navigation.frames import Frame
from navigation.transforms import RigidTransform


def moved(to: Frame, from_: Frame, seed: int) -> RigidTransform:
    rng = np.random.default_rng(seed)
    return RigidTransform(
        to=to,
        from_=from_,
        rotation=Rotation.random(rng=rng).as_matrix(),
        translation_mm=rng.uniform(-100, 100, 3),
    )


TRACKER_FROM_TOOL = moved(Frame.TRACKER, Frame.TOOL, 1)
TRACKER_FROM_REFERENCE = moved(Frame.TRACKER, Frame.REFERENCE, 2)
PATIENT_FROM_REFERENCE = moved(Frame.PATIENT, Frame.REFERENCE, 3)
TOOL_FROM_TIP = moved(Frame.TOOL, Frame.TIP, 4)


def aged(transform: RigidTransform, age_s: float) -> Edge:
    return lambda _: EdgeState(transform=transform, age_s=age_s)


def room() -> FrameGraph:
    graph = FrameGraph()
    graph.join(Frame.TRACKER, Frame.TOOL, aged(TRACKER_FROM_TOOL, 0.02))
    graph.join(Frame.TRACKER, Frame.REFERENCE, aged(TRACKER_FROM_REFERENCE, 0.05))
    graph.join(Frame.PATIENT, Frame.REFERENCE, still(PATIENT_FROM_REFERENCE))
    graph.join(Frame.TOOL, Frame.TIP, still(TOOL_FROM_TIP))
    return graph


def test_a_path_is_the_product_of_its_edges() -> None:
    """Edges are walked either way, and the age is that of the oldest."""
    found = room().at(Frame.PATIENT, Frame.TIP, 1.0)
    expected = PATIENT_FROM_REFERENCE @ TRACKER_FROM_REFERENCE.inverse @ TRACKER_FROM_TOOL @ TOOL_FROM_TIP
    assert found.transform is not None
    np.testing.assert_allclose(found.transform.matrix, expected.matrix, atol=1e-9)
    assert (found.status, found.age_s, found.said) == (EdgeStatus.OK, 0.05, "")
    back = room().at(Frame.TIP, Frame.PATIENT, 1.0).transform
    assert back is not None
    np.testing.assert_allclose(back.matrix, expected.inverse.matrix, atol=1e-9)


def test_every_edge_is_asked_for_the_same_time() -> None:
    """One time goes to all edges of the path, and to no other."""
    graph, asked = FrameGraph(), list[float]()

    def edge(to: Frame, from_: Frame) -> Edge:
        def at(at_s: float) -> EdgeState:
            asked.append(at_s)
            return EdgeState(transform=RigidTransform.identity(to, from_))

        return at

    for to, from_ in ((Frame.TRACKER, Frame.TOOL), (Frame.TOOL, Frame.TIP), (Frame.TRACKER, Frame.REFERENCE)):
        graph.join(to, from_, edge(to, from_))
    graph.at(Frame.TRACKER, Frame.TIP, 7.25)
    assert asked == [7.25, 7.25]


def test_the_worst_edge_speaks_for_the_path() -> None:
    """A doubt leaves the motion and says why; an unseen tool takes it, and outdoes the doubt."""
    graph = room()
    graph.join(Frame.TOOL, Frame.TIP, still(TOOL_FROM_TIP, doubt="the tip's calibration has expired"))
    doubted = graph.at(Frame.PATIENT, Frame.TIP, 1.0)
    assert doubted.transform is not None
    assert (doubted.status, doubted.said) == (EdgeStatus.DOUBTED, "the tip's calibration has expired")
    unseen = EdgeState(transform=None, status=EdgeStatus.UNSEEN, said="Probe is not seen")
    graph.join(Frame.TRACKER, Frame.TOOL, lambda _: unseen)
    found = graph.at(Frame.PATIENT, Frame.TIP, 1.0)
    assert (found.transform, found.status, found.said) == (None, EdgeStatus.UNSEEN, "Probe is not seen")


def test_a_doubt_holds_whichever_way_its_edge_is_walked() -> None:
    """The way back over a doubted edge is doubted, and over an unseen one unseen, each with its words and age."""
    graph = room()
    graph.join(Frame.PATIENT, Frame.REFERENCE, still(PATIENT_FROM_REFERENCE, doubt="the reference has slipped"))
    back = graph.at(Frame.TIP, Frame.PATIENT, 1.0)
    assert back.transform is not None
    assert (back.status, back.age_s, back.said) == (EdgeStatus.DOUBTED, 0.05, "the reference has slipped")
    unseen = EdgeState(transform=None, status=EdgeStatus.UNSEEN, age_s=0.3, said="Patient is not seen")
    graph.join(Frame.TRACKER, Frame.REFERENCE, lambda _: unseen)
    found = graph.at(Frame.PATIENT, Frame.TIP, 1.0)
    assert (found.transform, found.status) == (None, EdgeStatus.UNSEEN)
    assert (found.age_s, found.said) == (0.3, "Patient is not seen")


def test_an_edge_replaces_the_one_between_the_same_frames() -> None:
    """A new registration takes the place of the old one, also where it is given the other way round."""
    graph, other = room(), moved(Frame.PATIENT, Frame.REFERENCE, 9)
    graph.join(Frame.REFERENCE, Frame.PATIENT, still(other.inverse))
    found = graph.at(Frame.PATIENT, Frame.REFERENCE, 0.0).transform
    assert found is not None
    np.testing.assert_allclose(found.matrix, other.matrix, atol=1e-9)


def test_a_missing_edge_is_named() -> None:
    """Without a registration the frames on either side of the gap are told."""
    graph = FrameGraph()
    graph.join(Frame.TRACKER, Frame.REFERENCE, still(TRACKER_FROM_REFERENCE))
    with pytest.raises(MissingEdge, match="nothing joins patient to reference or tracker"):
        graph.at(Frame.PATIENT, Frame.REFERENCE, 0.0)


def test_a_motion_that_nobody_saw_is_no_motion() -> None:
    """An edge cannot claim to be unseen and give a motion, nor be good without one."""
    for transform, status in ((TOOL_FROM_TIP, EdgeStatus.UNSEEN), (None, EdgeStatus.OK)):
        with pytest.raises(NavigationError, match="unseen"):
            EdgeState(transform=transform, status=status)


def test_an_edge_joined_later_makes_the_way_shorter() -> None:
    """What was asked before does not fix the way: the fewest edges lead it, as they are joined now."""
    graph = room()
    assert graph.at(Frame.PATIENT, Frame.TIP, 1.0).age_s == 0.05
    directly = moved(Frame.PATIENT, Frame.TIP, 5)
    graph.join(Frame.PATIENT, Frame.TIP, still(directly))
    found = graph.at(Frame.PATIENT, Frame.TIP, 1.0)
    assert found.transform is not None
    np.testing.assert_allclose(found.transform.matrix, directly.matrix, atol=1e-9)
    assert found.age_s == 0.0
