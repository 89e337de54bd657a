"""The probe types: one file each, reads only, knows no threshold."""
