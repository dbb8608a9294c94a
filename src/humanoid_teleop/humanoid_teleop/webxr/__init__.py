# SPDX-License-Identifier: Apache-2.0
"""A VR headset as the operator device, through the browser that it has (WebXR)."""
