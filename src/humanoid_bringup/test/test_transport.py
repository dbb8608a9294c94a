# SPDX-License-Identifier: Apache-2.0
from pathlib import Path
from xml.etree import ElementTree

from humanoid_bringup import transport

PROFILE = Path(__file__).parents[3] / "config" / "transport" / "fastdds.xml"


def test_enough_shared_memory_is_not_worth_a_word():
    assert transport.shortage(free=2**30, processes=12) == ""


def test_too_little_shared_memory_says_how_to_get_more():
    words = transport.shortage(free=64 * 2**20, processes=12)
    assert "64 MiB free" in words
    assert "768 MiB wanted" in words
    assert "--shm-size" in words


def test_a_machine_without_shared_memory_has_none_free(tmp_path):
    assert transport.free_bytes(tmp_path / "absent") == 0


def test_the_segment_is_the_one_in_the_shipped_profile():
    name = "{http://www.eprosima.com/XMLSchemas/fastRTPS_Profiles}segment_size"
    assert [int(element.text) for element in ElementTree.parse(PROFILE).iter(name)] == [transport.SEGMENT]
