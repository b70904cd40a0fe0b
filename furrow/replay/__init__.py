"""Replay: a commit's stages run again from nothing, and what they give compared with what it says."""
