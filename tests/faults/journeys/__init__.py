"""Campaigns that drive the whole journey on the lab: crashes at any instant, and predictions from any start state."""
