"""The vision tower: generated pictures, the network, its training, the mmproj file and the evaluation."""
