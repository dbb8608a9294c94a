# SPDX-License-Identifier: Apache-2.0
"""Motion capture as it comes over the network: NatNet (OptiTrack) and MXTP (Xsens MVN)."""
