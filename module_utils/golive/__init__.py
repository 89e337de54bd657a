"""golive: the checklist that checks itself."""
