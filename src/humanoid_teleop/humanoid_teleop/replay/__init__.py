# SPDX-License-Identifier: Apache-2.0
"""`replay_motion`: one recorded person, all robots."""
